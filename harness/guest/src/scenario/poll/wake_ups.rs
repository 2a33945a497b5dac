// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Wake-ups, each of which races with a print, for as long as the host says.
//!
//! The writer prints as soon as the reader has what came before, which is when the reader is about
//! to wait: it finds nothing more to read, asks epoll, sets the flag, looks, sleeps. The print comes
//! before, between or after any two of these. A wake-up that is lost leaves both waiting.
//!
//! A second is about ten thousand wake-ups, on two cores that nobody else wants.

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

/// One thread prints, one waits, edge-triggered.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let race = Race {
        until: Instant::now() + settings::stress(),
        seen: AtomicUsize::new(0),
        last: AtomicUsize::new(usize::MAX),
        failed: AtomicBool::new(false),
    };
    type Work<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;
    let tasks: Vec<Work<'_>> = vec![
        Box::new(|| race.or_fail(race.write(fd))),
        Box::new(|| race.or_fail(race.read(fd))),
    ];
    threads::run_parallel(tasks)?;
    // another number in every run, so not for the snapshot
    eprintln!(
        "bpf-streams-guest: {} wake-ups raced with prints",
        race.seen.into_inner()
    );
    ctx.note("each print raced with who was about to wait, and none was waited for in vain");
    Ok(None)
}

/// What the threads share.
struct Race {
    until: Instant,
    /// Lines that were read.
    seen: AtomicUsize,
    /// How many there will be, once that is known.
    last: AtomicUsize,
    failed: AtomicBool,
}

impl Race {
    /// A thread that fails must not leave the other waiting.
    fn or_fail(&self, result: Result<()>) -> Result<()> {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }

    fn write(&self, program: BorrowedFd<'_>) -> Result<()> {
        for printed in 0.. {
            while self.seen.load(Ordering::Acquire) < printed {
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
                // before the read that finds nothing: the next print races with it
                self.seen.store(bytes / LINE, Ordering::Release);
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
