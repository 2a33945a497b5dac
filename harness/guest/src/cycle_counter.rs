// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The CPU's cycle counter, whose overflow raises an interrupt.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use anyhow::{Context, Result};

/// The first version of the kernel's `struct perf_event_attr`.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
}

/// `PERF_TYPE_HARDWARE`, whose `PERF_COUNT_HW_CPU_CYCLES` is 0.
const HARDWARE: u32 = 0;

/// Short enough to overflow soon, long enough to let the CPU do other work.
const PERIOD: u64 = 1_000_000;

/// Counts this thread's cycles, on any CPU.
pub struct Counter(OwnedFd);

impl Counter {
    /// Starts counting; fails where the machine has no cycle counter.
    pub fn open() -> Result<Counter> {
        let attributes = Attributes {
            kind: HARDWARE,
            size: u32::try_from(size_of::<Attributes>())?,
            sample_period: PERIOD,
            ..Attributes::default()
        };
        let (this_thread, any_cpu, no_group, no_flags) = (0, -1, -1, 0_u64);
        // SAFETY: the attributes are valid for the call and contain their own size.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attributes,
                this_thread,
                any_cpu,
                no_group,
                no_flags,
            )
        };
        let fd = RawFd::try_from(fd).context("perf_event_open returned no fd")?;
        if fd < 0 {
            return Err(io::Error::last_os_error()).context("cannot count the CPU's cycles");
        }
        // SAFETY: a new fd that nothing else owns.
        Ok(Counter(unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

impl AsRawFd for Counter {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
