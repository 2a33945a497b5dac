// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A print of an empty text, and one that is refused, make nothing readable and raise no edge.

use std::os::fd::AsFd;

use anyhow::Result;

use super::{next, pending_events, waiter};
use crate::poll;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

const TIMES: u32 = 1000;

/// Waits with an edge and with a level while nothing is printed, often, and then a line.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let stdout = StreamFd::open(fd, Stream::Stdout)?;
    let edge = waiter(stdout.as_fd(), poll::IN | poll::EDGE)?;
    let level = waiter(stdout.as_fd(), poll::IN)?;
    wanted::print_empty(fd, TIMES)?;
    ctx.note(format!(
        "{TIMES} empty prints: {} | {}",
        pending_events(&edge)?,
        pending_events(&level)?
    ));
    wanted::print(fd, Stream::Stdout, 1)?;
    ctx.note(format!(
        "a line: {} | {}",
        poll::describe(next(&edge)?),
        poll::describe(next(&level)?)
    ));
    wanted::print_empty(fd, TIMES)?;
    ctx.note(format!(
        "{TIMES} empty prints while the line is unread: {}",
        pending_events(&edge)?
    ));
    stdout.drain(&mut ctx.output.stdout)?;
    Ok(None)
}
