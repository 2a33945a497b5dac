// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the program as often as the spec says, reads after each run, and notes the number of
//! reports of each kind and place.

use std::os::fd::AsFd;

use anyhow::{Result, ensure};

use super::tally_reports;
use crate::load::Loaded;
use crate::prog_run;
use crate::stream::Stream;
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;
use crate::wait::{self, TIMEOUT};

/// Runs, reads and counts, repeatedly. Only the first run has a burst of reports.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let mut retval = None;
    for number in 1..=ctx.spec.repeat {
        let text;
        (retval, text) = run_and_read(ctx, &loaded)?;
        if number > 1 {
            let note = tally_reports::note_later_run(&text, number)?;
            ctx.note(note);
            continue;
        }
        let notes = tally_reports::tally(&text, &mut ctx.output.stderr)?;
        if ctx.spec.repeat > 1 {
            ctx.note(format!("run {number}:"));
        }
        ctx.output.notes.extend(notes);
    }
    Ok(retval)
}

/// One run with a limit of 4096 bytes. The number of reports that fit depends on the architecture,
/// so only the kinds are noted.
pub fn run_within_4096(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    const ROOM: usize = 4096;
    let limit = Limit::keep()?;
    limit.set(4096)?;
    let loaded = ctx.load()?;
    let (retval, text) = run_and_read(ctx, &loaded)?;
    let end = text
        .windows(4)
        .rposition(|window| window == b"... ")
        .unwrap_or(text.len());
    ensure!(end <= ROOM, "stderr gave {end} bytes; {ROOM} are allowed");
    let notes = tally_reports::tally(&text, &mut ctx.output.stderr)?;
    for note in notes {
        let (_, what) = note.split_once(' ').unwrap_or_default();
        ctx.note(format!("some {what}"));
    }
    Ok(retval)
}

/// Runs the program once and reads; returns its return value and its stderr.
fn run_and_read(ctx: &mut TestCtx<'_>, loaded: &Loaded) -> Result<(Option<i64>, Vec<u8>)> {
    let program = loaded.program()?;
    let fd = program.as_fd();
    let run = prog_run::run(&program, 1, ctx.spec.trigger.as_deref())?;
    let (wanted, stdout) = (ctx.spec.wait_stdout, &mut ctx.output.stdout);
    wait::for_bytes(Stream::Stdout, fd, wanted, TIMEOUT, stdout)?;
    drop(run.link);
    Stream::Stdout.drain(fd, stdout)?;
    let mut text = Vec::new();
    Stream::Stderr.drain(fd, &mut text)?;
    Ok((run.retval, text))
}
