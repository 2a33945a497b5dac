// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The guest's CPUs: which there are, pinning a thread to them, waiting for programs that run on
//! them.

use std::io;
use std::mem;

use anyhow::{Result, ensure};

/// Takes CPU 1 offline and online.
pub const HOTPLUG_SWITCH: &str = "/sys/devices/system/cpu/cpu1/online";

/// The CPUs that this process may run on.
pub fn online() -> Result<Vec<u32>> {
    // SAFETY: a bit set; all zeros is a valid value.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the set is valid for writes of its size.
    let ret = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    ensure!(
        ret == 0,
        "sched_getaffinity: {}",
        io::Error::last_os_error()
    );
    // SAFETY: the set is initialised, and the index is within it.
    let has = |cpu: usize| unsafe { libc::CPU_ISSET(cpu, &set) };
    Ok((0..32)
        .filter(|cpu| has(*cpu))
        .map(|cpu| cpu as u32)
        .collect())
}

/// Pins this thread to a CPU.
pub fn stay_on(cpu: u32) -> Result<()> {
    stay_on_any(&[cpu])
}

/// Pins this thread to a set of CPUs.
pub fn stay_on_any(cpus: &[u32]) -> Result<()> {
    // SAFETY: as above.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    for cpu in cpus {
        // SAFETY: as above.
        unsafe { libc::CPU_SET(*cpu as usize, &mut set) };
    }
    // SAFETY: the set is valid for reads of its size.
    let ret = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    ensure!(
        ret == 0,
        "sched_setaffinity: {}",
        io::Error::last_os_error()
    );
    Ok(())
}

/// Waits until every program that is running now, on any CPU, has ended.
pub fn wait_for_programs() -> Result<()> {
    /// Waits for an RCU grace period, which no running program outlasts.
    const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
    let (flags, no_cpu): (libc::c_uint, libc::c_int) = (0, 0);
    // SAFETY: takes numbers only.
    let ret = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, flags, no_cpu) };
    ensure!(ret == 0, "membarrier: {}", io::Error::last_os_error());
    Ok(())
}
