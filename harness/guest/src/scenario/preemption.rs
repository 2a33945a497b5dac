// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the program on a CPU that another thread needs regularly, and notes the number of reports
//! of each kind and place.

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

/// Minimum number of wake-ups of the other thread, which tries hundreds.
const MIN_WAKE_UPS: i64 = 20;
const PERIOD: Duration = Duration::from_millis(1);

/// One thread runs the program, one counts its wake-ups.
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
            let mut wake_ups = 0;
            while running.load(Ordering::Relaxed) {
                thread::sleep(PERIOD);
                wake_ups += 1;
            }
            Ok(wake_ups)
        }),
    ];
    let results = threads::run_parallel(tasks)?;
    let (retval, wake_ups) = (results[0], results[1]);
    ensure!(
        wake_ups >= MIN_WAKE_UPS,
        "the other thread ran only {wake_ups} times"
    );
    ctx.note("another thread of its CPU went on meanwhile");
    let mut text = Vec::new();
    Stream::Stdout.drain(fd, &mut ctx.output.stdout)?;
    Stream::Stderr.drain(fd, &mut text)?;
    let notes = tally_reports::tally(&text, &mut ctx.output.stderr)?;
    ctx.output.notes.extend(notes);
    Ok(Some(retval))
}
