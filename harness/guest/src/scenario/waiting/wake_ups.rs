// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Ten thousand wake-ups, each of which races with a print.
//!
//! The writer prints as soon as the reader has what came before, which is when the reader is about
//! to wait: it finds nothing more to read, asks epoll, sets the flag, looks, sleeps. The print comes
//! before, between or after any two of these. A wake-up that is lost leaves both waiting.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};

use super::{LINE, next, print, waiter};
use crate::poll;
use crate::scenario::{Stage, threads};
use crate::stream::Stream;

const WAKE_UPS: usize = 10_000;

/// One thread prints, one waits, edge-triggered.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let loaded = stage.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let seen = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let or_fail = |result: Result<()>| {
        if result.is_err() {
            failed.store(true, Ordering::Relaxed);
        }
        result
    };
    type Work<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;
    let works: Vec<Work<'_>> = vec![
        Box::new(|| or_fail(write(fd, &seen, &failed))),
        Box::new(|| or_fail(read(fd, &seen))),
    ];
    threads::at_once(works)?;
    stage.note(format!(
        "{WAKE_UPS} prints, none of them waited for in vain"
    ));
    Ok(None)
}

fn write(program: BorrowedFd<'_>, seen: &AtomicUsize, failed: &AtomicBool) -> Result<()> {
    for printed in 0..WAKE_UPS {
        while seen.load(Ordering::Acquire) < printed {
            if failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            thread::yield_now();
        }
        print(program, 1, 0)?;
    }
    Ok(())
}

fn read(program: BorrowedFd<'_>, seen: &AtomicUsize) -> Result<()> {
    let waiter = waiter(program, poll::STDOUT | poll::EDGE)?;
    let mut buffer = [0; 64];
    let mut bytes = 0;
    while bytes < WAKE_UPS * LINE {
        next(&waiter).with_context(|| format!("after {} lines", bytes / LINE))?;
        loop {
            let count = Stream::Stdout
                .read(program, &mut buffer)
                .map_err(|error| Stream::Stdout.explain(&error))?;
            if count == 0 {
                break;
            }
            bytes += count;
            // before the read that finds nothing: the next print races with it
            seen.store(bytes / LINE, Ordering::Release);
        }
    }
    ensure!(
        bytes == WAKE_UPS * LINE,
        "{bytes} bytes were read, {} were printed",
        WAKE_UPS * LINE
    );
    Ok(())
}
