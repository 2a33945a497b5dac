// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! All fds of a program read the same streams, which exist as long as any fd is open.

use std::os::fd::AsFd;

use anyhow::{Context, Result};
use libbpf_rs::Program;

use crate::errno;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Runs the program once; reads five bytes by each of two fds, closes all fds but the second, and
/// reads the rest by that one.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let run = prog_run::run(&program, 1, None)?;
    let id = Program::id_from_fd(program.as_fd()).context("cannot get the program's id")?;
    let second = Program::fd_from_id(id).context("cannot get a second fd of the program")?;
    for (which, fd) in [("first", program.as_fd()), ("second", second.as_fd())] {
        let mut buffer = [0; 5];
        let result = Stream::Stdout.read(fd, &mut buffer);
        ctx.note(format!(
            "5 bytes by the {which} fd: {}",
            errno::describe_result(&result)
        ));
        let count = result.map_err(|error| Stream::Stdout.read_error(&error))?;
        ctx.output.stdout.extend_from_slice(&buffer[..count]);
    }
    drop(loaded);
    ctx.note("the rest by the second fd, when all others are closed");
    Stream::Stdout.drain(second.as_fd(), &mut ctx.output.stdout)?;
    Stream::Stderr.drain(second.as_fd(), &mut ctx.output.stderr)?;
    Ok(run.retval)
}
