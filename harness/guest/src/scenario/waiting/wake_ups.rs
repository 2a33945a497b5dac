// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Wake-ups that race with prints, for the duration of a stress test.
//!
//! The writer prints as soon as the reader has read the previous line, when the reader is about to
//! wait: it finds the stream empty, sets the flag, checks again, sleeps. The print happens before,
//! between or after any two of these steps. A lost wake-up leaves both threads waiting.
//!
//! One second is about 10000 wake-ups on two idle cores.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::{next, waiter};
use crate::poll::{self, Waiter};
use crate::scenario::blocked::{Blocked, TIMEOUT};
use crate::scenario::wanted::{self, LINE};
use crate::settings;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// How the reader waits.
#[derive(Clone, Copy)]
pub enum Wait {
    /// In an edge-triggered epoll; reads do not block.
    Edge,
    /// In `poll()`; reads do not block.
    Poll,
    /// In `read()`.
    Read,
}

/// The main thread prints, one thread waits.
pub fn run(ctx: &mut TestCtx<'_>, how: Wait) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = wanted::copy(&loaded)?;
    let descriptor = match how {
        Wait::Edge | Wait::Poll => StreamFd::open(program.as_fd(), Stream::Stdout)?,
        Wait::Read => StreamFd::open_blocking(program.as_fd(), Stream::Stdout)?,
    };
    let reader = Reader {
        how,
        edge: waiter(descriptor.as_fd(), poll::IN | poll::EDGE)?,
        descriptor,
        lines: AtomicUsize::new(0),
    };
    let printed = thread::scope(|scope| {
        let sleeper = Blocked::start(scope, || reader.read_to_end())?;
        let printed = write(program.as_fd(), &reader);
        // the reader ends when the program is freed
        drop(program);
        sleeper.result("the reader gets the last line and the end of the file")??;
        printed
    })?;
    let read = reader.lines.into_inner();
    ensure!(
        read == printed,
        "{read} lines were read, {printed} were printed"
    );
    // differs in every run, so it is not noted
    eprintln!("bpf-streams-guest: {read} wake-ups raced with prints");
    ctx.note("each print raced with a task that began to wait, and no wake-up was lost");
    Ok(None)
}

/// Prints a line whenever the reader has read the previous one; returns the number of lines.
fn write(program: BorrowedFd<'_>, reader: &Reader) -> Result<usize> {
    let until = Instant::now() + settings::stress();
    let mut printed = 0;
    while Instant::now() < until {
        wanted::print(program, Stream::Stdout, 1)?;
        printed += 1;
        let begun = Instant::now();
        while reader.lines.load(Ordering::Acquire) < printed {
            ensure!(
                begun.elapsed() < settings::scaled(TIMEOUT),
                "a wake-up was lost: line {printed} was not read"
            );
            thread::yield_now();
        }
    }
    Ok(printed)
}

struct Reader {
    how: Wait,
    descriptor: StreamFd,
    edge: Waiter,
    /// Lines read so far.
    lines: AtomicUsize,
}

impl Reader {
    fn read_to_end(&self) -> Result<()> {
        let mut buffer = [0; 64];
        let mut bytes = 0;
        loop {
            match self.descriptor.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    bytes += count;
                    // stored before the read that finds the stream empty, so that the next print
                    // races with it
                    self.lines.store(bytes / LINE, Ordering::Release);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(bytes)?,
                Err(error) => return Err(error).context("cannot read stdout"),
            }
        }
    }

    fn wait(&self, bytes: usize) -> Result<()> {
        let lines = bytes / LINE;
        match self.how {
            Wait::Edge => next(&self.edge).map(drop),
            Wait::Poll => {
                let events = self.descriptor.wait(settings::scaled(TIMEOUT))?;
                ensure!(events != 0, "a wake-up was lost after {lines} lines");
                Ok(())
            }
            Wait::Read => anyhow::bail!("a blocking read returned -EAGAIN after {lines} lines"),
        }
        .with_context(|| format!("after {lines} lines"))
    }
}
