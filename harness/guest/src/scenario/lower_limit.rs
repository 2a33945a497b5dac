// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Lowering the limit below the size of the unread text takes effect at once, and drops nothing.
//!
//! The program prints a text several times, and returns how many bytes were accepted.

use std::os::fd::AsFd;

use anyhow::{Context, Result};
use libbpf_rs::ProgramMut;

use crate::prog_run;
use crate::stream::Stream;
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;

/// Prints, lowers the limit, prints, reads, prints.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    let loaded = ctx.load()?;
    let program = loaded.program()?;

    ctx.note(format!("default limit: {} bytes fitted", print(&program)?));
    limit.set(4096)?;
    ctx.note(format!("limit 4096: {} bytes fitted", print(&program)?));
    ctx.note(format!("{} bytes read", drain(&program)?));
    ctx.note(format!("then {} bytes fitted", print(&program)?));
    ctx.note(format!("{} bytes read", drain(&program)?));
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    Ok(None)
}

fn print(program: &ProgramMut<'_>) -> Result<i64> {
    prog_run::run(program, 1, None)?
        .retval
        .context("the program has no return value")
}

fn drain(program: &ProgramMut<'_>) -> Result<usize> {
    let mut text = Vec::new();
    Stream::Stdout.drain(program.as_fd(), &mut text)?;
    Ok(text.len())
}
