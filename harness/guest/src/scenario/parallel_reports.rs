// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Four threads run the program at the same time, on all CPUs; stderr is read afterwards or at the
//! same time. All reports must be complete.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use super::{tally_reports, threads};
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

const THREADS: usize = 4;

/// Runs with several threads, then reads; notes the number of reports of each kind.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let retvals = threads::run_parallel(vec![|| prog_run::run_fd(fd); THREADS])?;
    ctx.note(format!("the program returned {retvals:?}"));
    let (mut text, mut own) = (Vec::new(), Vec::new());
    Stream::Stderr.drain(fd, &mut text)?;
    let notes = tally_reports::tally(&text, &mut own)?;
    ctx.output.notes.extend(notes);
    let lines = own.split_inclusive(|byte| *byte == b'\n').count();
    ctx.note(format!("{lines} lines of the program's own"));
    Ok(None)
}

/// Reads while the program runs. The number of suppressed reports depends on timing, but the sum of
/// suppressed and printed reports does not, and is noted.
pub fn run_while_reading(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let running = AtomicUsize::new(THREADS);
    let run = || {
        let retval = prog_run::run_fd(fd);
        running.fetch_sub(1, Ordering::Release);
        retval.map(|_| Vec::new())
    };
    let read = || {
        let mut text = Vec::new();
        while running.load(Ordering::Acquire) > 0 {
            Stream::Stderr.drain(fd, &mut text)?;
        }
        Stream::Stderr.drain(fd, &mut text)?;
        Ok(text)
    };
    type Work<'a> = Box<dyn FnOnce() -> Result<Vec<u8>> + Send + 'a>;
    let mut tasks: Vec<Work<'_>> = vec![Box::new(read)];
    tasks.extend((0..THREADS).map(|_| Box::new(&run) as Work<'_>));
    let text = threads::run_parallel(tasks)?.concat();
    let (printed, suppressed) = tally_reports::totals(&text)?;
    let made = printed + suppressed;
    ctx.note(format!("{made} reports were printed or suppressed"));
    Ok(None)
}
