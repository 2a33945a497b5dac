// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Readers that wait for text by poll and epoll, for the tests of `selftests/waiting.bpf.c`.

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

/// Time limit for a wake-up.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The program's `struct wanted`: how many lines to print.
#[repr(C)]
#[derive(Clone, Copy)]
struct Wanted {
    stdout: u32,
    stderr: u32,
}

/// Bytes of a line.
const LINE: usize = 5;

/// Makes the program print this many lines to each stream.
fn print(program: BorrowedFd<'_>, stdout: u32, stderr: u32) -> Result<()> {
    let returned = prog_run::run_fd_with(program, &mut Wanted { stdout, stderr })?;
    ensure!(returned == 0, "the program returned {returned}");
    Ok(())
}

fn waiter(program: BorrowedFd<'_>, events: u32) -> Result<Waiter> {
    Waiter::new(program, events).context("cannot wait for the program with epoll")
}

/// Waits for the next events; a timeout is an error.
fn next(waiter: &Waiter) -> Result<u32> {
    let events = waiter
        .wait(settings::scaled(TIMEOUT))
        .context("epoll_wait")?;
    ensure!(
        events != 0,
        "a wake-up was lost: no event before the time limit"
    );
    Ok(events)
}

/// The names of the events that epoll returns at once.
fn pending_events(waiter: &Waiter) -> Result<String> {
    let events = waiter.wait(Duration::ZERO).context("epoll_wait")?;
    Ok(poll::describe(events))
}
