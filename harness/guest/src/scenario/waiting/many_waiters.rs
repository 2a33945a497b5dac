// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! 1000 waiters, half of which have a descriptor of their own, and a program that prints as fast as
//! possible.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{next, waiter};
use crate::poll::{self, Waiter};
use crate::scenario::open_files::OpenFiles;
use crate::scenario::wanted;
use crate::settings;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

const WAITERS: usize = 1000;
const PRINTS: u32 = 10_000;

/// With waiters, the prints may take at most this factor and this much longer. They take about the
/// same time; one wake-up per print would take a thousand times as long.
const TIMES: u32 = 4;
const SLACK: Duration = Duration::from_millis(100);

/// Prints without and with waiters, and checks that every waiter is woken: by the first print, by
/// the next one after all was read, and when the program is freed.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = wanted::copy(&loaded)?;
    let fd = program.as_fd();
    let alone = timed_storm(fd)?;
    let shared = StreamFd::open(fd, Stream::Stdout)?;
    let mut text = Vec::new();
    shared.drain(&mut text)?;
    let _more = OpenFiles::allow(2 * WAITERS as libc::rlim_t)?;
    let descriptors = (0..WAITERS / 2)
        .map(|_| StreamFd::open(fd, Stream::Stdout))
        .collect::<Result<Vec<_>>>()?;
    let waiters = (0..WAITERS)
        .map(|index| {
            let descriptor = descriptors.get(index).unwrap_or(&shared);
            waiter(descriptor.as_fd(), poll::IN | poll::EDGE)
        })
        .collect::<Result<Vec<_>>>()?;
    let watched = timed_storm(fd)?;
    let bound = alone * TIMES + settings::scaled(SLACK);
    ensure!(
        watched <= bound,
        "{PRINTS} prints took {alone:?} alone and {watched:?} with {WAITERS} waiters"
    );
    wake_all(&waiters)?;
    ctx.note(format!("{PRINTS} prints woke {WAITERS} waiters"));
    shared.drain(&mut text)?;
    wanted::print(fd, Stream::Stdout, 1)?;
    wake_all(&waiters)?;
    ctx.note("one more print woke them again");
    drop(program);
    wake_all(&waiters)?;
    ctx.note("the end of the program woke them again");
    Ok(None)
}

fn timed_storm(program: BorrowedFd<'_>) -> Result<Duration> {
    let begun = Instant::now();
    wanted::print(program, Stream::Stdout, PRINTS)?;
    Ok(begun.elapsed())
}

fn wake_all(waiters: &[Waiter]) -> Result<()> {
    waiters.iter().try_for_each(|waiter| next(waiter).map(drop))
}
