// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The loop of an edge-triggered reader: wait for an edge, read until `EAGAIN`, wait again. Two
//! threads print as fast as they can, and the program is freed when both have ended.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use anyhow::{Result, ensure};

use super::{next, waiter};
use crate::poll;
use crate::scenario::threads;
use crate::scenario::wanted::{self, LINE};
use crate::stream::Stream;
use crate::stream_fd::{End, StreamFd};
use crate::test_ctx::TestCtx;

const WRITERS: usize = 2;
const RUNS: usize = 200;
const LINES_PER_RUN: u32 = 5;

/// Not a multiple of a line, so that lines are read in parts.
const READ_SIZE: usize = 64;

/// A thread's work; returns the number of bytes that it read.
type Work<'a> = Box<dyn FnOnce() -> Result<usize> + Send + 'a>;

/// Reads until the end of the file; all text must arrive.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = Arc::new(wanted::copy(&loaded)?);
    let stdout = StreamFd::open(program.as_fd(), Stream::Stdout)?;
    let mut tasks: Vec<Work<'_>> = vec![Box::new(|| read(&stdout))];
    for _ in 0..WRITERS {
        let program = Arc::clone(&program);
        tasks.push(Box::new(move || write(&program).map(|()| 0)));
    }
    // the writer that ends last frees it
    drop(program);
    let bytes: usize = threads::run_parallel(tasks)?.into_iter().sum();
    let printed = WRITERS * RUNS * LINES_PER_RUN as usize * LINE;
    ensure!(
        bytes == printed,
        "{bytes} bytes were read, {printed} were printed"
    );
    ctx.note(format!(
        "{bytes} bytes of {WRITERS} writers, and the end of the file"
    ));
    Ok(None)
}

fn write(program: &OwnedFd) -> Result<()> {
    (0..RUNS).try_for_each(|_| wanted::print(program.as_fd(), Stream::Stdout, LINES_PER_RUN))
}

fn read(stdout: &StreamFd) -> Result<usize> {
    let waiter = waiter(stdout.as_fd(), poll::IN | poll::EDGE)?;
    let mut text = Vec::new();
    loop {
        let events = next(&waiter)?;
        let end = stdout.drain_by(READ_SIZE, &mut text)?;
        if end == End::OfFile {
            ensure!(
                events & poll::HUP != 0 || next(&waiter)? & poll::HUP != 0,
                "no EPOLLHUP at the end"
            );
            return Ok(text.len());
        }
    }
}
