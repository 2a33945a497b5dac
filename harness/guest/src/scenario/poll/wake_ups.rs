// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Wake-ups that race with prints, for the duration of a stress test.
//!
//! The writer prints as soon as the reader has read the previous line, when the reader is about to
//! wait: it finds the stream empty, calls epoll, sets the flag, checks again, sleeps. The print
//! happens before, between or after any two of these steps. A lost wake-up leaves both threads
//! waiting.
//!
//! One second is about 10000 wake-ups on two idle cores.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::{LINE, next, print, waiter};
use crate::poll;
use crate::scenario::threads;
use crate::settings;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// One thread prints, one waits with an edge-triggered epoll.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let race = Race {
        until: Instant::now() + settings::stress(),
        lines_read: AtomicUsize::new(0),
        last: AtomicUsize::new(usize::MAX),
        failed: AtomicBool::new(false),
    };
    type Work<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;
    let tasks: Vec<Work<'_>> = vec![
        Box::new(|| race.or_fail(race.write(fd))),
        Box::new(|| race.or_fail(race.read(fd))),
    ];
    threads::run_parallel(tasks)?;
    // differs in every run, so it is not noted
    eprintln!(
        "bpf-streams-guest: {} wake-ups raced with prints",
        race.lines_read.into_inner()
    );
    ctx.note("each print raced with a task that began to wait, and no wake-up was lost");
    Ok(None)
}

/// State that the threads share.
struct Race {
    until: Instant,
    /// Lines read so far.
    lines_read: AtomicUsize,
    /// Total number of lines, once it is known.
    last: AtomicUsize,
    failed: AtomicBool,
}

impl Race {
    /// Stops the other thread if this one fails.
    fn or_fail(&self, result: Result<()>) -> Result<()> {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    fn write(&self, program: BorrowedFd<'_>) -> Result<()> {
        for printed in 0.. {
            while self.lines_read.load(Ordering::Acquire) < printed {
                if self.failed.load(Ordering::Relaxed) {
                    return Ok(());
                }
                thread::yield_now();
            }
            let is_last = Instant::now() >= self.until;
            if is_last {
                self.last.store(printed + 1, Ordering::Release);
            }
            print(program, 1, 0)?;
            if is_last {
                break;
            }
        }
        Ok(())
    }

    fn read(&self, program: BorrowedFd<'_>) -> Result<()> {
        let waiter = waiter(program, poll::STDOUT | poll::EDGE)?;
        let mut buffer = [0; 64];
        let mut bytes = 0;
        while bytes / LINE < self.last.load(Ordering::Acquire) {
            next(&waiter).with_context(|| format!("after {} lines", bytes / LINE))?;
            loop {
                let count = Stream::Stdout
                    .read(program, &mut buffer)
                    .map_err(|error| Stream::Stdout.read_error(&error))?;
                if count == 0 {
                    break;
                }
                bytes += count;
                // stored before the read that finds the stream empty, so that the next print races
                // with it
                self.lines_read.store(bytes / LINE, Ordering::Release);
            }
        }
        let last = self.last.load(Ordering::Acquire);
        ensure!(
            bytes == last * LINE,
            "{bytes} bytes were read, {} were printed",
            last * LINE
        );
        Ok(())
    }
}
