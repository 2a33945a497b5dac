// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs a `syscall` program on every CPU at the same time, once each: first with waiters of locks
//! in a queue, then without, whatever the kernel has chosen for its machine.
//!
//! The program returns how many failures it had of those that the kernel reports. How many there
//! are can be chance; that each is reported is not, nor what a report says. So all reports but the
//! first are counted and left out of the snapshot; the first, too, where there need not be one.

use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};

use super::{Stage, cpus, threads};
use crate::queueing::Queueing;
use crate::runner;
use crate::stream::Stream;

/// How a report begins, and how it ends.
const BEGIN: &str = "ERROR: ";
const END: &str = "\n\n";

/// The report of a loop that was ended. It goes round once more after that, and may get then what it
/// waited for: so there can be such a report without a failure.
const LOOP: &str = "ERROR: Timeout detected for may_goto instruction";

/// Runs, reads, counts; shows the first report. That of the other way of waiting says the same,
/// but for which CPU it was.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let [queued, competing] = both_ways(stage)?;
    ensure!(
        queued.is_empty() == competing.is_empty(),
        "waiters that queue fail and those that compete do not, or the other way round"
    );
    let first = queued.split_inclusive(END).next().unwrap_or_default();
    stage.seen.stderr.extend_from_slice(first.as_bytes());
    Ok(None)
}

/// Runs, reads, counts; shows no report.
pub fn play_unheard(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    both_ways(stage).map(|_| None)
}

/// Runs, reads, counts, with waiters in a queue only; shows no report.
pub fn play_queued(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let queueing = Queueing::keep()?;
    queueing.set(true)?;
    run(stage).map(|_| None)
}

/// Gives the reports, of which there are as many as the program counted, for each way of waiting.
fn both_ways(stage: &mut Stage<'_>) -> Result<[String; 2]> {
    let queueing = Queueing::keep()?;
    queueing.set(true)?;
    let queued = run(stage).context("with waiters in a queue")?;
    queueing.set(false)?;
    let competing = run(stage).context("with waiters that compete")?;
    Ok([queued, competing])
}

fn run(stage: &mut Stage<'_>) -> Result<String> {
    let loaded = stage.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let works = cpus::online()?
        .into_iter()
        .map(|cpu| {
            move || {
                cpus::stay_on(cpu)?;
                runner::run_fd(fd)
            }
        })
        .collect();
    let failures: Vec<i64> = threads::at_once(works)?;
    Stream::Stdout.drain(fd, &mut stage.seen.stdout)?;
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
