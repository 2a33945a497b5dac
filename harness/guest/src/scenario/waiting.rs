// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Readers that wait for text by poll and epoll on stream descriptors, for the tests of
//! `selftests/waiting.bpf.c`.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::blocked::TIMEOUT;
use crate::poll::{self, Waiter};
use crate::settings;

pub mod after_print;
pub mod drain_loop;
pub mod edge;
pub mod empty_print;
pub mod hang_up;
pub mod many_waiters;
pub mod nested;
pub mod nmi;
pub mod prog_fd;
pub mod prog_free;
pub mod states;
pub mod wake_ups;

fn waiter(fd: BorrowedFd<'_>, events: u32) -> Result<Waiter> {
    Waiter::new(fd, events).context("cannot wait with epoll")
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
