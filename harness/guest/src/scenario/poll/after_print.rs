// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A waiter that registers after a print gets the event at once.

use std::os::fd::AsFd;

use anyhow::Result;

use super::{pending_events, print, waiter};
use crate::poll;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Prints, then registers.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    print(fd, 1, 1)?;
    for (how, flag) in [("level", 0), ("edge", poll::EDGE)] {
        let late = waiter(fd, poll::STDOUT | poll::STDERR | flag)?;
        ctx.note(format!("{how}-triggered: {}", pending_events(&late)?));
    }
    Stream::Stdout.drain(fd, &mut ctx.output.stdout)?;
    Stream::Stderr.drain(fd, &mut ctx.output.stderr)?;
    Ok(None)
}
