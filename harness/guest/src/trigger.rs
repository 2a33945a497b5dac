// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Triggers: what the agent does to make an attached program run. `__trigger(name)` selects one.

use std::fs::File;
use std::io;
use std::process;
use std::ptr;

use anyhow::{Context, Result, ensure};

/// Makes an attached program run.
pub type Trigger = fn() -> Result<()>;

/// The trigger of tests that name none.
pub const DEFAULT: &str = "getpgid";

/// Every trigger, by its name in `__trigger()`.
const TRIGGERS: &[(&str, Trigger)] = &[("getpgid", getpgid), ("memory", memory), ("open", open)];

/// The trigger of that name.
pub fn find(name: &str) -> Result<Trigger> {
    TRIGGERS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, trigger)| *trigger)
        .with_context(|| {
            format!("unknown trigger `{name}`; known triggers are in guest/src/trigger.rs")
        })
}

/// A system call that nothing else in the guest makes, and that calls an LSM hook.
fn getpgid() -> Result<()> {
    let pid = libc::pid_t::try_from(process::id()).context("PID out of range")?;
    // SAFETY: takes and returns numbers only.
    let ret = unsafe { libc::getpgid(pid) };
    ensure!(ret >= 0, "getpgid: {}", io::Error::last_os_error());
    Ok(())
}

/// Opens a file.
fn open() -> Result<()> {
    const ANY: &str = "/proc/version";
    File::open(ANY)
        .map(drop)
        .with_context(|| format!("cannot open {ANY}"))
}

/// Maps, touches and unmaps more memory than a per-CPU page list holds, so that the list is
/// refilled from the zone.
fn memory() -> Result<()> {
    const SIZE: usize = 16 << 20;
    // SAFETY: a new mapping at an address chosen by the kernel.
    let start = unsafe {
        libc::mmap(
            ptr::null_mut(),
            SIZE,
            libc::PROT_READ | libc::PROT_WRITE,
            // same effect as touching every page
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE,
            -1,
            0,
        )
    };
    ensure!(
        start != libc::MAP_FAILED,
        "mmap: {}",
        io::Error::last_os_error()
    );
    // SAFETY: the mapping made above; nothing points into it.
    let ret = unsafe { libc::munmap(start, SIZE) };
    ensure!(ret == 0, "munmap: {}", io::Error::last_os_error());
    Ok(())
}
