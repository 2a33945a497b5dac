// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Reads a stream until it has given a number of bytes, or to its end.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::stream::Stream;
use crate::stream_fd::{self, StreamFd};
use crate::{bpftool, settings};

/// Time limit for anything that runs later in the guest, on the slowest emulation.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the stream to its end: by bpftool where the host has set `--bpftool`, otherwise by a
/// descriptor, or by the read command where the kernel has no stream descriptors.
pub fn drain(stream: Stream, program: BorrowedFd<'_>, into: &mut Vec<u8>) -> Result<()> {
    drain_by(descriptor(stream, program)?.as_ref(), stream, program, into)
}

/// As [`drain`], with a descriptor that is open already.
fn drain_by(
    descriptor: Option<&StreamFd>,
    stream: Stream,
    program: BorrowedFd<'_>,
    into: &mut Vec<u8>,
) -> Result<()> {
    if settings::by_bpftool() {
        into.extend(bpftool::show(stream, program)?);
        return Ok(());
    }
    match descriptor {
        Some(descriptor) => descriptor.drain(into).map(drop),
        None => stream.drain(program, into),
    }
}

/// Reads until `into` has at least `wanted` bytes, for at most `timeout` of a plain kernel. Sleeps
/// until there is text where the kernel has stream descriptors.
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
    let descriptor = descriptor(stream, program)?;
    let descriptor = descriptor.as_ref();
    read_until(
        stream,
        wanted,
        timeout,
        into,
        |into| drain_by(descriptor, stream, program, into),
        |remaining| {
            match descriptor {
                Some(descriptor) => drop(descriptor.wait(remaining)?),
                None => std::thread::yield_now(),
            }
            Ok(())
        },
    )
}

/// As [`for_bytes`], but never sleeps: for events that need this thread to run.
pub fn spin_for_bytes(
    stream: Stream,
    program: BorrowedFd<'_>,
    wanted: usize,
    timeout: Duration,
    into: &mut Vec<u8>,
) -> Result<()> {
    let descriptor = descriptor(stream, program)?;
    read_until(
        stream,
        wanted,
        timeout,
        into,
        |into| drain_by(descriptor.as_ref(), stream, program, into),
        |_| Ok(()),
    )
}

/// Calls `pause` with the remaining time between two reads.
fn read_until(
    stream: Stream,
    wanted: usize,
    timeout: Duration,
    into: &mut Vec<u8>,
    mut read: impl FnMut(&mut Vec<u8>) -> Result<()>,
    mut pause: impl FnMut(Duration) -> Result<()>,
) -> Result<()> {
    let timeout = settings::scaled(timeout);
    let begun = Instant::now();
    loop {
        read(into)?;
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

/// A descriptor of the stream; `None` where the kernel has none.
fn descriptor(stream: Stream, program: BorrowedFd<'_>) -> Result<Option<StreamFd>> {
    if !stream_fd::is_supported() {
        return Ok(None);
    }
    StreamFd::open(program, stream).map(Some)
}
