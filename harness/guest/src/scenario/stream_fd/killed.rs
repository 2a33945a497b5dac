// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A process that sleeps in a read is killed; the text goes to the next reader.

use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};

use super::forked::Forked;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// Kills the reader, prints, and reads.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let blocking = StreamFd::open_blocking(program.as_fd(), Stream::Stdout)?;
    let reader = Forked::start(|| {
        let count = blocking.read(&mut [0; 64]).context("cannot read")?;
        Ok(format!("{count} bytes"))
    })?;
    reader.wait_until_asleep()?;
    let signal = reader.kill()?;
    ensure!(
        signal == libc::SIGKILL,
        "the child ended by signal {signal}"
    );
    ctx.note("the reader was killed");
    wanted::print(program.as_fd(), Stream::Stdout, 1)?;
    let end = StreamFd::open(program.as_fd(), Stream::Stdout)?.drain(&mut ctx.output.stdout)?;
    ctx.note(format!("printed and read by another descriptor: {end}"));
    Ok(None)
}
