// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Reads a stream until it has given a number of bytes, or to its end.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::poll::Waiter;
use crate::stream::Stream;
use crate::{bpftool, settings};

/// Time limit for anything that runs later in the guest, on the slowest emulation.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the stream to its end, by bpftool where the host has set `--bpftool`.
pub fn drain(stream: Stream, program: BorrowedFd<'_>, into: &mut Vec<u8>) -> Result<()> {
    if settings::by_bpftool() {
        into.extend(bpftool::show(stream, program)?);
        return Ok(());
    }
    stream.drain(program, into)
}

/// Reads until `into` has at least `wanted` bytes, for at most `timeout` of a plain kernel. Sleeps
/// until there is text where the kernel supports poll on a program.
pub fn for_bytes(
    stream: Stream,
    program: BorrowedFd<'_>,
    wanted: usize,
    timeout: Duration,
    into: &mut Vec<u8>,
) -> Result<()> {
    if into.len() >= wanted {
        return Ok(());
    }
    let waiter = waiter(stream, program)?;
    read_until(stream, program, wanted, timeout, into, |remaining| {
        match &waiter {
            Some(waiter) => drop(
                waiter
                    .wait(remaining)
                    .context("cannot wait for the program")?,
            ),
            None => std::thread::yield_now(),
        }
        Ok(())
    })
}

/// As [`for_bytes`], but never sleeps: for events that need this thread to run.
pub fn spin_for_bytes(
    stream: Stream,
    program: BorrowedFd<'_>,
    wanted: usize,
    timeout: Duration,
    into: &mut Vec<u8>,
) -> Result<()> {
    read_until(stream, program, wanted, timeout, into, |_| Ok(()))
}

/// Calls `pause` with the remaining time between two reads.
fn read_until(
    stream: Stream,
    program: BorrowedFd<'_>,
    wanted: usize,
    timeout: Duration,
    into: &mut Vec<u8>,
    mut pause: impl FnMut(Duration) -> Result<()>,
) -> Result<()> {
    let timeout = settings::scaled(timeout);
    let begun = Instant::now();
    loop {
        drain(stream, program, into)?;
        if into.len() >= wanted {
            return Ok(());
        }
        let Some(remaining) = timeout.checked_sub(begun.elapsed()) else {
            bail!(
                "{stream} gave {} of {wanted} bytes within {} s",
                into.len(),
                timeout.as_secs()
            );
        };
        pause(remaining)?;
    }
}

/// `None` where the kernel does not support poll on a program.
fn waiter(stream: Stream, program: BorrowedFd<'_>) -> Result<Option<Waiter>> {
    match Waiter::new(program, stream.event()) {
        Ok(waiter) => Ok(Some(waiter)),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(None),
        Err(error) => Err(error).context("cannot wait for the program"),
    }
}
