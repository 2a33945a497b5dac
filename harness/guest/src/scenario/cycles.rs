// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Has the program run when the CPU's cycle counter overflows, until it has printed to stdout.

use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};

use super::TestCtx;
use crate::cycles::Counter;
use crate::stream::{PATIENCE, Stream};

/// Counts, waits without sleeping, which takes cycles, and reads.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let counter = Counter::open()?;
    let link = program
        .attach_perf_event(counter.as_raw_fd())
        .context("cannot attach the program to the cycle counter")?;
    Stream::Stdout.spin_for(program.as_fd(), 1, PATIENCE, &mut ctx.seen.stdout)?;
    drop(link);
    Stream::Stdout.drain(program.as_fd(), &mut ctx.seen.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.seen.stderr)?;
    Ok(None)
}
