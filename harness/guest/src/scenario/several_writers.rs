// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Four threads run the program at the same time; then the text is read and checked.

use std::os::fd::AsFd;

use anyhow::Result;

use super::{lines, threads};
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

const WRITERS: usize = 4;

/// Writes with several threads, reads with one.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let retvals = threads::run_parallel(vec![|| prog_run::run_fd(fd); WRITERS])?;
    ctx.note(format!("the program returned {retvals:?}"));
    let mut text = Vec::new();
    Stream::Stdout.drain(fd, &mut text)?;
    ctx.note(lines::describe(&lines::check(&[text])?));
    Ok(None)
}
