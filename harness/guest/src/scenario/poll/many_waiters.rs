// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! 1000 waiters, and a program that prints as fast as possible.

use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{next, print, waiter};
use crate::poll::{self, Waiter};
use crate::settings;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

const WAITERS: usize = 1000;
const PRINTS: u32 = 10_000;

/// With waiters, the prints may take at most this factor and this much longer. They take about the
/// same time; one wake-up per print would take a thousand times as long.
const TIMES: u32 = 4;
const SLACK: Duration = Duration::from_millis(100);

/// Prints without and with waiters, and checks that every waiter is woken.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let alone = timed_storm(fd)?;
    {
        let _more = OpenFiles::allow(2 * WAITERS as libc::rlim_t)?;
        let waiters = (0..WAITERS)
            .map(|_| waiter(fd, poll::STDOUT | poll::EDGE))
            .collect::<Result<Vec<_>>>()?;
        let watched = timed_storm(fd)?;
        let bound = alone * TIMES + settings::scaled(SLACK);
        ensure!(
            watched <= bound,
            "{PRINTS} prints took {alone:?} alone and {watched:?} with {WAITERS} waiters"
        );
        wake_all(&waiters)?;
        ctx.note(format!("{PRINTS} prints woke {WAITERS} waiters"));
        print(fd, 1, 0)?;
        wake_all(&waiters)?;
        ctx.note("one more print woke them again");
    }
    let mut text = Vec::new();
    Stream::Stdout.drain(fd, &mut text)?;
    Ok(None)
}

fn timed_storm(program: BorrowedFd<'_>) -> Result<Duration> {
    let begun = Instant::now();
    print(program, PRINTS, 0)?;
    Ok(begun.elapsed())
}

fn wake_all(waiters: &[Waiter]) -> Result<()> {
    waiters.iter().try_for_each(|waiter| next(waiter).map(drop))
}

/// Raises the limit of open files. Dropping it restores the limit.
struct OpenFiles(libc::rlimit);

impl OpenFiles {
    fn allow(count: libc::rlim_t) -> Result<OpenFiles> {
        // SAFETY: two numbers; zeros are valid values.
        let mut before: libc::rlimit = unsafe { mem::zeroed() };
        // SAFETY: valid for writes.
        let ret = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut before) };
        ensure!(ret == 0, "getrlimit: {}", io::Error::last_os_error());
        set(&libc::rlimit {
            rlim_cur: before.rlim_cur.max(count),
            rlim_max: before.rlim_max.max(count),
        })?;
        Ok(OpenFiles(before))
    }
}

impl Drop for OpenFiles {
    fn drop(&mut self) {
        // a higher limit does no harm
        let _ = set(&self.0);
    }
}

fn set(limit: &libc::rlimit) -> Result<()> {
    // SAFETY: valid for reads.
    let ret = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const *limit) };
    ensure!(ret == 0, "setrlimit: {}", io::Error::last_os_error());
    Ok(())
}
