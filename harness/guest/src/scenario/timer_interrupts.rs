// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A program that prints is interrupted by its own timer callback, which prints to the same stream.

use std::os::fd::AsFd;

use anyhow::{Result, ensure};

use super::lines;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Runs the program once and checks its lines. Their number depends on the clock, so it is not
/// noted.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let run = prog_run::run(&program, 1, None)?;
    let mut text = Vec::new();
    Stream::Stdout.drain(program.as_fd(), &mut text)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    let writers = lines::check(&[text])?.len();
    ensure!(
        writers == 2,
        "expected lines of the program and of its callback, found {writers} writers"
    );
    ctx.note("lines of program and callback, once, whole and in order");
    Ok(run.retval)
}
