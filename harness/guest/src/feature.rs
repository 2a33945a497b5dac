// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Features that a kernel or a machine may lack: `__requires(name)`.
//!
//! A test whose feature is missing is skipped. The host has the list of features that the kernel
//! was built with, and fails a run that skips one of them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::cpus;
use crate::cycle_counter;
use crate::fault_injection;
use crate::sysctl;

/// Returns whether a feature is available.
type Probe = fn() -> bool;

/// Every feature, by its name in `__requires()`.
const FEATURES: &[(&str, Probe)] = &[
    // debugfs files of fault injection
    ("fault_injection", || {
        Path::new(fault_injection::PAGES).is_dir() && Path::new(fault_injection::SLAB).is_dir()
    }),
    // arena atomics of 6.12: and, or and xor with BPF_FETCH exist on arm64 only
    ("arena_bitwise_fetch", || cfg!(target_arch = "aarch64")),
    // NMIs injected by the host: QEMU supports them for x86-64 only
    ("injected_nmi", || cfg!(target_arch = "x86_64")),
    // this series, for programs that mainline must not run: __not_run_in_mainline
    ("series", || Path::new(sysctl::LIMIT).exists()),
    // CPUs that run programs at the same time
    ("two_cpus", || has_cpus(2)),
    ("three_cpus", || has_cpus(3)),
    // a CPU that can be taken offline
    ("cpu_hotplug", || Path::new(cpus::HOTPLUG_SWITCH).exists()),
    // reads that the kernel carries out later
    ("io_uring", || {
        Path::new("/proc/sys/kernel/io_uring_disabled").exists()
    }),
    // processes without capabilities outside of their namespace
    ("user_namespaces", || {
        Path::new("/proc/self/ns/user").exists()
    }),
    // 6.12 rejects it on PREEMPT_RT
    ("bpf_timer", || {
        fs::read_to_string("/proc/version").is_ok_and(|version| !version.contains("PREEMPT_RT"))
    }),
    // a cycle counter whose overflow raises an NMI
    ("cycle_counter", || cycle_counter::Counter::open().is_ok()),
];

/// Whether the feature of that name is available.
pub fn is_available(name: &str) -> Result<bool> {
    let (_, probe) = FEATURES
        .iter()
        .find(|(known, _)| *known == name)
        .with_context(|| {
            format!("unknown feature `{name}`; known features are in guest/src/feature.rs")
        })?;
    Ok(probe())
}

fn has_cpus(count: usize) -> bool {
    cpus::online().is_ok_and(|cpus| cpus.len() >= count)
}
