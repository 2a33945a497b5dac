// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the program on a CPU that another thread wants now and then, and notes how many reports of
//! each kind and place there were.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{tally_reports, threads};
use crate::cpus;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Turns of the other thread that show that it was let through; it wants hundreds.
const ENOUGH: i64 = 20;
const NOW_AND_THEN: Duration = Duration::from_millis(1);

/// One thread runs the program, one counts how often it wakes up.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let running = AtomicBool::new(true);
    type Work<'a> = Box<dyn FnOnce() -> Result<i64> + Send + 'a>;
    let tasks: Vec<Work<'_>> = vec![
        Box::new(|| {
            let retval = cpus::stay_on(0).and_then(|()| prog_run::run_fd(fd));
            running.store(false, Ordering::Relaxed);
            retval
        }),
        Box::new(|| {
            cpus::stay_on(0)?;
            let mut turns = 0;
            while running.load(Ordering::Relaxed) {
                thread::sleep(NOW_AND_THEN);
                turns += 1;
            }
            Ok(turns)
        }),
    ];
    let results = threads::run_parallel(tasks)?;
    let (retval, turns) = (results[0], results[1]);
    ensure!(turns >= ENOUGH, "the other thread had {turns} turns only");
    ctx.note("another thread of its CPU went on meanwhile");
    let mut text = Vec::new();
    Stream::Stdout.drain(fd, &mut ctx.output.stdout)?;
    Stream::Stderr.drain(fd, &mut text)?;
    let notes = tally_reports::tally(&text, &mut ctx.output.stderr)?;
    ctx.output.notes.extend(notes);
    Ok(Some(retval))
}
