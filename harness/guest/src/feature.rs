// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What a kernel or a machine can lack: `__requires(name)`.
//!
//! A test that requires a feature that is missing is reported as skipped. The host knows which features the
//! kernel was built to have, so that none can go missing without being noticed.

use std::path::Path;

use anyhow::{Context, Result};

use crate::cpus;
use crate::cycle_counter;
use crate::fault_injection;
use crate::sysctl;

/// Whether a feature is here.
type Probe = fn() -> bool;

/// Every feature, by the name that a test says.
const FEATURES: &[(&str, Probe)] = &[
    // allocations that can be made to fail
    ("fault_injection", || {
        Path::new(fault_injection::PAGES).is_dir() && Path::new(fault_injection::SLAB).is_dir()
    }),
    // what 6.12 has on arenas for arm64 only: and, or and xor that fetch the old value
    ("arena_bitwise_fetch", || cfg!(target_arch = "aarch64")),
    // NMIs on the host's request: QEMU's monitor has them for x86-64 only
    ("injected_nmi", || cfg!(target_arch = "x86_64")),
    // our series, for what would spoil mainline's run: __not_run_in_mainline
    ("series", || Path::new(sysctl::LIMIT).exists()),
    // programs that run at the same time
    ("two_cpus", || has_cpus(2)),
    ("three_cpus", || has_cpus(3)),
    // a CPU that can be taken away
    ("cpu_hotplug", || Path::new(cpus::HOTPLUG_SWITCH).exists()),
    // a cycle counter, whose overflow interrupts as an NMI
    ("cycle_counter", || cycle_counter::Counter::open().is_ok()),
];

/// Whether the feature of that name is here.
pub fn is_available(name: &str) -> Result<bool> {
    let (_, probe) = FEATURES
        .iter()
        .find(|(known, _)| *known == name)
        .with_context(|| {
            format!("the agent knows no feature `{name}`; see guest/src/feature.rs")
        })?;
    Ok(probe())
}

fn has_cpus(count: usize) -> bool {
    cpus::online().is_ok_and(|cpus| cpus.len() >= count)
}
