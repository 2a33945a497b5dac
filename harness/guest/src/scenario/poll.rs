// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Readers that wait for text by poll and epoll: what the tests of `selftests/waiting.bpf.c` share.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::poll::{self, Waiter};
use crate::prog_run;
use crate::settings;

pub mod after_print;
pub mod edge;
pub mod many_waiters;
pub mod nmi;
pub mod prog_free;
pub mod states;
pub mod wake_ups;

/// No wake-up takes that long.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The program's `struct wanted`: how many lines it is to print.
#[repr(C)]
#[derive(Clone, Copy)]
struct Wanted {
    stdout: u32,
    stderr: u32,
}

/// Bytes of each line.
const LINE: usize = 5;

/// Has the program print so many lines to each stream.
fn print(program: BorrowedFd<'_>, stdout: u32, stderr: u32) -> Result<()> {
    let returned = prog_run::run_fd_with(program, &mut Wanted { stdout, stderr })?;
    ensure!(returned == 0, "the program returned {returned}");
    Ok(())
}

fn waiter(program: BorrowedFd<'_>, events: u32) -> Result<Waiter> {
    Waiter::new(program, events).context("cannot wait for the program with epoll")
}

/// The next events, which must come.
fn next(waiter: &Waiter) -> Result<u32> {
    let events = waiter
        .wait(settings::scaled(TIMEOUT))
        .context("epoll_wait")?;
    ensure!(events != 0, "a wake-up was lost: nothing within 10 s");
    Ok(events)
}

/// What epoll has at once, by name.
fn pending_events(waiter: &Waiter) -> Result<String> {
    let events = waiter.wait(Duration::ZERO).context("epoll_wait")?;
    Ok(poll::describe(events))
}
