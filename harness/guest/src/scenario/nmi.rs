// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Attaches the program and makes the host inject NMIs until the program has printed to stdout.

use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result};
use wire::Request;

use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;
use crate::wait;

/// The first NMI may come before the attachment is active.
const TRIES: usize = 5;

/// Attaches, injects, waits, detaches, reads.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let link = prog_run::attach(&program)?;
    let mut printed = Ok(());
    for _ in 0..TRIES {
        ctx.channel.request(Request::Nmi)?;
        let timeout = Duration::from_secs(1);
        printed = wait::for_bytes(
            Stream::Stdout,
            program.as_fd(),
            1,
            timeout,
            &mut ctx.output.stdout,
        );
        if printed.is_ok() {
            break;
        }
    }
    printed.with_context(|| format!("after {TRIES} NMIs"))?;
    drop(link);
    Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    Ok(None)
}
