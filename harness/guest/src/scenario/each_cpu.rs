// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs a `syscall` program on every CPU at the same time: first with lock waiters in a queue, then
//! with unfair locks, whatever the kernel has chosen for this machine.
//!
//! The program returns its number of failures that the kernel reports. The number may depend on
//! timing, but every failure must be reported, and the text of a report is stable. So the snapshot
//! holds only the first report, or none where there may be none, and the others are counted.

use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};

use super::threads;
use crate::cpus;
use crate::prog_run;
use crate::rqspinlock_unfair::UnfairParam;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Begin and end of a report.
const BEGIN: &str = "ERROR: ";
const END: &str = "\n\n";

/// Report of a loop that may_goto has ended. The program runs one more iteration after it, which
/// may get the lock: so this report can come without a failure.
const LOOP: &str = "ERROR: Timeout detected for may_goto instruction";

/// Checks the counts and shows the first report of the queued run. The report of the unfair run
/// differs only in the CPU.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let [queued, unfair] = queued_and_unfair(ctx)?;
    ensure!(
        queued.is_empty() == unfair.is_empty(),
        "lock calls fail either with queued waiters or with unfair locks, not with both"
    );
    let first = queued.split_inclusive(END).next().unwrap_or_default();
    ctx.output.stderr.extend_from_slice(first.as_bytes());
    Ok(None)
}

/// Checks the counts and shows no report.
pub fn run_count_only(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    queued_and_unfair(ctx).map(|_| None)
}

/// Checks the counts with queued waiters only, and shows no report.
pub fn run_queued(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let param = UnfairParam::keep()?;
    param.set_queued(true)?;
    run_on_every_cpu(ctx).map(|_| None)
}

/// Returns the reports of both runs, after checking their number.
fn queued_and_unfair(ctx: &mut TestCtx<'_>) -> Result<[String; 2]> {
    let param = UnfairParam::keep()?;
    param.set_queued(true)?;
    let queued = run_on_every_cpu(ctx).context("with queued waiters")?;
    param.set_queued(false)?;
    let unfair = run_on_every_cpu(ctx).context("with unfair locks")?;
    Ok([queued, unfair])
}

fn run_on_every_cpu(ctx: &mut TestCtx<'_>) -> Result<String> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let tasks = cpus::online()?
        .into_iter()
        .map(|cpu| (cpu, move || prog_run::run_fd(fd)))
        .collect();
    let failures: Vec<i64> = threads::run_on_cpus(tasks)?;
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
        "the kernel reported {begins:?}, but the program counted {failures:?} failures"
    );
    Ok(reports)
}
