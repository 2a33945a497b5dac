// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Reads stderr after each run of the program, and notes how the text begins that was read.

use std::os::fd::AsFd;

use anyhow::{Context, Result};

use crate::prog_run;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;
use crate::wait;

/// Notes this much of a text: an empty line and the name of a report, without what varies.
const BEGINNING: usize = 12;

/// Reads all of it.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, None)
}

/// Reads three bytes after each run, and the rest at the end.
pub fn run_part(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, Some(3))
}

fn run_with(ctx: &mut TestCtx<'_>, most: Option<usize>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let mut retval = None;
    for number in 1..=ctx.spec.repeat {
        retval = Some(prog_run::run_fd(fd)?);
        let mut text = Vec::new();
        match most {
            None => wait::drain(Stream::Stderr, fd, &mut text)?,
            Some(most) => {
                text.resize(most, 0);
                let count = Stream::Stderr
                    .read(fd, &mut text)
                    .map_err(|error| Stream::Stderr.read_error(&error))?;
                text.truncate(count);
            }
        }
        let beginning = &text[..text.len().min(BEGINNING)];
        ctx.note(format!(
            "read after run {number}: {:?}",
            String::from_utf8_lossy(beginning)
        ));
        ctx.output.stderr.extend(text);
    }
    wait::drain(Stream::Stderr, fd, &mut ctx.output.stderr)?;
    Ok(retval)
}

/// Two threads run the program at the same time; every report in their text must be at the
/// beginning of a line. The text of the threads mixes differently in every run, so it is not noted.
pub fn run_parallel(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    const THREADS: usize = 2;
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let stderr = StreamFd::open(fd, Stream::Stderr)?;
    super::threads::run_parallel(vec![|| prog_run::run_fd(fd); THREADS])?;
    let mut text = Vec::new();
    stderr.drain(&mut text)?;
    let text = String::from_utf8(text).context("stderr is no text")?;
    let reports = text.matches("ERROR: ").count();
    let at_beginning = text
        .lines()
        .filter(|line| line.starts_with("ERROR: "))
        .count();
    ctx.note(format!(
        "{at_beginning} of {reports} reports are at the beginning of a line"
    ));
    let empty = text.contains("\n\n\n");
    ctx.note(format!("an empty line without need: {empty}"));
    Ok(None)
}
