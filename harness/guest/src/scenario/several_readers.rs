// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The program runs; then four threads read at the same time, ten lines per read.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::Result;

use super::{lines, threads};
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

const READERS: usize = 4;

/// Writes with one thread, reads with several.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let retval = prog_run::run_fd(fd)?;
    let texts = threads::run_parallel(vec![|| read(fd); READERS])?;
    ctx.note(lines::describe(&lines::check(&texts)?));
    Ok(Some(retval))
}

fn read(fd: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut buffer = [0; 10 * lines::LENGTH];
    loop {
        match Stream::Stdout
            .read(fd, &mut buffer)
            .map_err(|error| Stream::Stdout.read_error(&error))?
        {
            0 => return Ok(text),
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
}
