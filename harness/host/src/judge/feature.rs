// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Features that a guest must have: a test that needs one must not be skipped.
//!
//! The guest finds out what it has (`harness/guest/src/feature.rs`), and tests say what they need
//! (`__requires` in `selftests/selftest.h`). This table lists the features that must not be missing.

use crate::env::arch::Arch;
use crate::queue::base::REFERENCE;

/// The leak scan at the end of a run; no single test requires it.
pub const KMEMLEAK: &str = "kmemleak";

/// The condition under which a guest must have a feature.
enum Obliged {
    /// The kernel has this option.
    Option(&'static str),
    /// The kernel does not have this option.
    NoOption(&'static str),
    /// The guest has this architecture.
    Arch(Arch),
    /// The guest has at least this many CPUs, and an SMP kernel.
    Cpus(u32),
    /// The base is not mainline.
    Series,
}

/// Every feature, with its condition.
const FEATURES: &[(&str, Obliged)] = &[
    (KMEMLEAK, Obliged::Option("CONFIG_DEBUG_KMEMLEAK")),
    // no test requires them: a line of the console shows them (ci/splats.toml)
    ("kasan_hw_tags", Obliged::Option("CONFIG_KASAN_HW_TAGS")),
    ("kasan_sw_tags", Obliged::Option("CONFIG_KASAN_SW_TAGS")),
    (
        "fault_injection",
        Obliged::Option("CONFIG_FAULT_INJECTION_DEBUG_FS"),
    ),
    ("arena_bitwise_fetch", Obliged::Arch(Arch::Arm64)),
    ("injected_nmi", Obliged::Arch(Arch::X86_64)),
    ("two_cpus", Obliged::Cpus(2)),
    ("three_cpus", Obliged::Cpus(3)),
    ("cpu_hotplug", Obliged::Option("CONFIG_HOTPLUG_CPU")),
    ("io_uring", Obliged::Option("CONFIG_IO_URING")),
    ("user_namespaces", Obliged::Option("CONFIG_USER_NS")),
    ("bpf_timer", Obliged::NoOption("CONFIG_PREEMPT_RT")),
    // required by __not_run_in_mainline
    ("series", Obliged::Series),
    // on x86-64 only where KVM exposes the performance counters
    ("cycle_counter", Obliged::Arch(Arch::Arm64)),
];

/// The features that a guest of `base` and `arch` must have, with this kernel configuration and number
/// of CPUs.
#[must_use]
pub fn required(base: &str, arch: Arch, config: &str, cpus: u32) -> Vec<&'static str> {
    let is_set = |option: &str| config.lines().any(|line| line == format!("{option}=y"));
    FEATURES
        .iter()
        .filter(|(_, obliged)| match obliged {
            Obliged::Option(option) => is_set(option),
            Obliged::NoOption(option) => !is_set(option),
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
    fn required_features_follow_from_configuration_architecture_and_cpus() {
        let config = "CONFIG_DEBUG_KMEMLEAK=y\n# CONFIG_FAULT_INJECTION_DEBUG_FS is not set\n";
        assert_eq!(
            required(REFERENCE, Arch::X86_64, config, 2),
            [KMEMLEAK, "injected_nmi", "bpf_timer"]
        );
        assert_eq!(
            required("v6.12", Arch::Arm64, "", 2),
            [
                "arena_bitwise_fetch",
                "bpf_timer",
                "series",
                "cycle_counter"
            ]
        );
        let tags = required(REFERENCE, Arch::Arm64, "CONFIG_KASAN_HW_TAGS=y\n", 1);
        assert!(tags.contains(&"kasan_hw_tags"), "{tags:?}");
        let real_time = "CONFIG_SMP=y\nCONFIG_PREEMPT_RT=y\n";
        let cpus = |count| required(REFERENCE, Arch::X86_64, real_time, count);
        assert_eq!(cpus(1), ["injected_nmi"]);
        assert_eq!(cpus(2), ["injected_nmi", "two_cpus"]);
        assert_eq!(cpus(8), ["injected_nmi", "two_cpus", "three_cpus"]);
    }
}
