// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A full stream accepts exactly as many bytes as were read from it.
//!
//! The program prints dots until one is refused, and returns how many were accepted.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, ensure};
use libbpf_rs::ProgramMut;

use crate::prog_run;
use crate::stream::Stream;
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;

/// Fills, fills again, reads a part, fills, reads all, fills.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(4096)?;
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();

    ctx.note(format!("limit 4096: {} fitted", fill(&program)?));
    ctx.note(format!("again: {} fitted", fill(&program)?));
    let mut part = [0; 100];
    let count = Stream::Stdout
        .read(fd, &mut part)
        .map_err(|error| Stream::Stdout.read_error(&error))?;
    check_dots(&part[..count])?;
    ctx.note(format!("{count} read: {} fitted", fill(&program)?));
    let count = drain(fd)?;
    ctx.note(format!("{count} read: {} fitted", fill(&program)?));
    ctx.note(format!("{} read at the end", drain(fd)?));
    Stream::Stderr.drain(fd, &mut ctx.output.stderr)?;
    Ok(None)
}

fn fill(program: &ProgramMut<'_>) -> Result<i64> {
    prog_run::run(program, 1, None)?
        .retval
        .context("the program has no return value")
}

fn drain(fd: BorrowedFd<'_>) -> Result<usize> {
    let mut text = Vec::new();
    Stream::Stdout.drain(fd, &mut text)?;
    check_dots(&text)?;
    Ok(text.len())
}

fn check_dots(text: &[u8]) -> Result<()> {
    let other = text.iter().find(|byte| **byte != b'.');
    ensure!(other.is_none(), "stdout gave {other:?} among the dots");
    Ok(())
}
