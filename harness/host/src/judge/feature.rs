// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What a kernel or its machine must have, so that no test that needs it can be left out unnoticed.
//!
//! The guest finds out what it has (`harness/guest/src/feature.rs`), and tests say what they need
//! (`__needs` in `selftests/selftest.h`). Here stands when there is no excuse.

use crate::env::arch::Arch;
use crate::queue::base::REFERENCE;

/// The search for leaks at the end of a run; a matter of the whole run, which no test asks for.
pub const KMEMLEAK: &str = "kmemleak";

/// What obliges a guest to have a feature.
enum Obliged {
    /// This option of its kernel.
    Option(&'static str),
    /// The architecture.
    Arch(Arch),
    /// At least so many CPUs, and a kernel that can use them.
    Cpus(u32),
    /// Any series of ours: mainline alone lacks it.
    Series,
}

/// Every feature, and what obliges a guest to have it.
const FEATURES: &[(&str, Obliged)] = &[
    (KMEMLEAK, Obliged::Option("CONFIG_DEBUG_KMEMLEAK")),
    (
        "fault_injection",
        Obliged::Option("CONFIG_FAULT_INJECTION_DEBUG_FS"),
    ),
    ("arena_bitwise_fetch", Obliged::Arch(Arch::Arm64)),
    ("injected_nmi", Obliged::Arch(Arch::X86_64)),
    ("two_cpus", Obliged::Cpus(2)),
    ("three_cpus", Obliged::Cpus(3)),
    ("cpu_hotplug", Obliged::Option("CONFIG_HOTPLUG_CPU")),
    // what __not_run_in_mainline needs
    ("series", Obliged::Series),
    // on x86-64 only where KVM passes the counters of the CPU on
    ("cycle_counter", Obliged::Arch(Arch::Arm64)),
];

/// What a guest of `base` and `arch` with so many CPUs must have whose kernel has this configuration.
#[must_use]
pub fn required(base: &str, arch: Arch, config: &str, cpus: u32) -> Vec<&'static str> {
    let is_set = |option: &str| config.lines().any(|line| line == format!("{option}=y"));
    FEATURES
        .iter()
        .filter(|(_, obliged)| match obliged {
            Obliged::Option(option) => is_set(option),
            Obliged::Arch(which) => *which == arch,
            Obliged::Cpus(count) => cpus >= *count && is_set("CONFIG_SMP"),
            Obliged::Series => base != REFERENCE,
        })
        .map(|(name, _)| *name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_follows_from_configuration_architecture_and_cpus() {
        let config = "CONFIG_DEBUG_KMEMLEAK=y\n# CONFIG_FAULT_INJECTION_DEBUG_FS is not set\n";
        assert_eq!(
            required(REFERENCE, Arch::X86_64, config, 2),
            [KMEMLEAK, "injected_nmi"]
        );
        assert_eq!(
            required("v6.12", Arch::Arm64, "", 2),
            ["arena_bitwise_fetch", "series", "cycle_counter"]
        );
        let cpus = |count| required(REFERENCE, Arch::X86_64, "CONFIG_SMP=y\n", count);
        assert_eq!(cpus(1), ["injected_nmi"]);
        assert_eq!(cpus(2), ["injected_nmi", "two_cpus"]);
        assert_eq!(cpus(8), ["injected_nmi", "two_cpus", "three_cpus"]);
    }
}
