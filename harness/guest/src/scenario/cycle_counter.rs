// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Attaches the program to overflows of the cycle counter, until it has printed to stdout.

use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};

use crate::cycle_counter::Counter;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;
use crate::wait::{self, TIMEOUT};

/// Opens the counter, spins (which uses cycles) until there is text, and reads.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let counter = Counter::open()?;
    let link = program
        .attach_perf_event(counter.as_raw_fd())
        .context("cannot attach the program to the cycle counter")?;
    wait::spin_for_bytes(
        Stream::Stdout,
        program.as_fd(),
        1,
        TIMEOUT,
        &mut ctx.output.stdout,
    )?;
    drop(link);
    Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    Ok(None)
}
