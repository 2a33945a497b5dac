// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Memory use of unread text, and whether reading frees it.
//!
//! The program fills stdout with short lines and returns how many were accepted.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, ensure};

use super::free_memory;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Maximum overhead of a record in bytes.
const OVERHEAD: i64 = 24;

/// Fills, reads a half and then the rest, and measures after each step.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();

    let before = free_memory::settled()?;
    let lines = prog_run::run(&program, 1, None)?
        .retval
        .context("the program has no return value")?;
    let used = before - free_memory::now()?;

    let half = read(fd, 2 << 20)?;
    let used_by_half = before - free_memory::now()?;
    let bytes = half + read(fd, usize::MAX)?;
    free_memory::wait_until_restored(before)?;

    let kib = |bytes: usize| bytes as i64 / 1024;
    let overhead = |lines: i64| lines * OVERHEAD / 1024 + free_memory::SLACK_KIB;
    let bound = kib(bytes) + overhead(lines);
    ensure!(
        used <= bound,
        "{bytes} bytes in {lines} lines took {used} KiB; {bound} KiB are allowed"
    );
    let bound = kib(bytes - half) + overhead(lines / 2);
    ensure!(
        used_by_half <= bound,
        "with {half} of {bytes} bytes read, {used_by_half} KiB are used; {bound} KiB are allowed"
    );
    ctx.note(format!(
        "{bytes} bytes in {lines} lines: at most {OVERHEAD} bytes of memory a line on top"
    ));
    ctx.note("half of it read: half of the memory is back");
    ctx.note("all of it read: memory is back where it was");
    Ok(Some(lines))
}

/// Reads at least `most` bytes, or until the stream is empty, and discards them.
fn read(program: BorrowedFd<'_>, most: usize) -> Result<usize> {
    let mut buffer = [0; 16 << 10];
    let mut done = 0;
    while done < most {
        match Stream::Stdout
            .read(program, &mut buffer)
            .map_err(|error| Stream::Stdout.read_error(&error))?
        {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}
