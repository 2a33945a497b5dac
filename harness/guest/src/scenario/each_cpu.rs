// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs a `syscall` program on every CPU at the same time, once each: first with waiters of locks
//! in a queue, then without, whatever the kernel has chosen for its machine.
//!
//! The program returns how many failures it had of those that the kernel reports. How many there
//! are can be chance; that each is reported is not, nor what a report says. So all reports but the
//! first are counted and left out of the snapshot; the first, too, where there need not be one.

use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};

use super::threads;
use crate::cpus;
use crate::prog_run;
use crate::rqspinlock_unfair::UnfairParam;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// How a report begins, and how it ends.
const BEGIN: &str = "ERROR: ";
const END: &str = "\n\n";

/// The report of a loop that was ended. It goes round once more after that, and may get then what it
/// waited for: so there can be such a report without a failure.
const LOOP: &str = "ERROR: Timeout detected for may_goto instruction";

/// Runs, reads, counts; shows the first report. That of the other way of waiting says the same,
/// but for which CPU it was.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let [queued, unfair] = queued_and_unfair(ctx)?;
    ensure!(
        queued.is_empty() == unfair.is_empty(),
        "waiters that queue fail and those that compete do not, or the other way round"
    );
    let first = queued.split_inclusive(END).next().unwrap_or_default();
    ctx.output.stderr.extend_from_slice(first.as_bytes());
    Ok(None)
}

/// Runs, reads, counts; shows no report.
pub fn run_count_only(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    queued_and_unfair(ctx).map(|_| None)
}

/// Runs, reads, counts, with waiters in a queue only; shows no report.
pub fn run_queued(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let unfair = UnfairParam::keep()?;
    unfair.set_queued(true)?;
    run_on_every_cpu(ctx).map(|_| None)
}

/// Gives the reports, of which there are as many as the program counted, for each way of waiting.
fn queued_and_unfair(ctx: &mut TestCtx<'_>) -> Result<[String; 2]> {
    let unfair = UnfairParam::keep()?;
    unfair.set_queued(true)?;
    let queued = run_on_every_cpu(ctx).context("with waiters in a queue")?;
    unfair.set_queued(false)?;
    let unfair = run_on_every_cpu(ctx).context("with waiters that compete")?;
    Ok([queued, unfair])
}

fn run_on_every_cpu(ctx: &mut TestCtx<'_>) -> Result<String> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let tasks = cpus::online()?
        .into_iter()
        .map(|cpu| {
            move || {
                cpus::stay_on(cpu)?;
                prog_run::run_fd(fd)
            }
        })
        .collect();
    let failures: Vec<i64> = threads::run_parallel(tasks)?;
    Stream::Stdout.drain(fd, &mut ctx.output.stdout)?;
    let mut reports = Vec::new();
    Stream::Stderr.drain(fd, &mut reports)?;
    let reports = String::from_utf8(reports).context("stderr")?;
    let begins: Vec<&str> = reports
        .lines()
        .filter(|line| line.starts_with(BEGIN))
        .collect();
    let loops = begins.iter().filter(|&&begin| begin == LOOP).count();
    let failed = usize::try_from(failures.iter().sum::<i64>())?;
    ensure!(
        failures.iter().all(|&failures| failures >= 0)
            && (begins.len() - loops..=begins.len()).contains(&failed),
        "reports {begins:?}, but failures that the program counted: {failures:?}"
    );
    Ok(reports)
}
