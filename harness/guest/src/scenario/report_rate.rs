// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The rate of reports while somebody reads them, and the count of those that were suppressed.

use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::{tally_reports, wanted};
use crate::prog_run;
use crate::stream::Stream;
use crate::stream_fd::{End, StreamFd};
use crate::test_ctx::TestCtx;
use crate::wait::TIMEOUT;
use crate::{poll, settings};

/// Faults of one run.
const FAULTS: u64 = 1000;

/// Reports at once, and reports for each second after that.
const BURST: u64 = 512;
const PER_SECOND: u64 = 64;

/// Shortest time that tells a rate from a second burst; the duration of a stress test is added.
const LEAST: Duration = Duration::from_secs(1);

/// Runs the program for a while, while a thread follows its stderr.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let program = wanted::copy(&ctx.load()?)?;
    let stderr = StreamFd::open(program.as_fd(), Stream::Stderr)?;
    let (text, faults, took) = thread::scope(|scope| {
        let follower = scope.spawn(|| follow(&stderr));
        let begun = Instant::now();
        let mut faults = 0;
        while begun.elapsed() < LEAST + settings::stress() {
            prog_run::run_fd(program.as_fd())?;
            faults += FAULTS;
        }
        let took = begun.elapsed();
        // the follower ends with the program
        drop(program);
        let text = follower
            .join()
            .map_err(|_| anyhow!("a thread panicked"))??;
        anyhow::Ok((text, faults, took))
    })?;
    let (printed, suppressed) = tally_reports::totals(&text)?;
    ensure!(
        printed + suppressed == faults,
        "{printed} reports were printed and {suppressed} suppressed, of {faults} faults"
    );
    // one for the second that has begun
    let most = BURST + PER_SECOND * (took.as_secs() + 1);
    ensure!(
        (BURST..=most).contains(&printed),
        "{printed} reports were printed in {took:?}; expected {BURST} to {most}"
    );
    // differs in every run, so it is not noted
    eprintln!("bpf-streams-guest: {printed} of {faults} reports in {took:?}");
    ctx.note("printed + suppressed = faults");
    ctx.note(format!(
        "{BURST} at once, and then at most {PER_SECOND} a second"
    ));
    Ok(None)
}

/// Runs the program once and frees it before anybody reads.
pub fn run_freed(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let program = wanted::copy(&ctx.load()?)?;
    let stderr = StreamFd::open(program.as_fd(), Stream::Stderr)?;
    let retval = prog_run::run_fd(program.as_fd())?;
    drop(program);
    stderr.wait_for_hangup(TIMEOUT)?;
    let mut text = Vec::new();
    let end = stderr.drain(&mut text)?;
    let (printed, suppressed) = tally_reports::totals(&text)?;
    ctx.note(format!("{printed} reports, {suppressed} suppressed, {end}"));
    Ok(Some(retval))
}

/// Reads as fast as possible until the program is freed.
fn follow(stderr: &StreamFd) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    while stderr.drain(&mut text)? == End::Empty {
        let events = stderr.wait(settings::scaled(TIMEOUT))?;
        ensure!(
            events & (poll::IN | poll::HUP) != 0,
            "neither a report nor the end of the program"
        );
    }
    Ok(text)
}
