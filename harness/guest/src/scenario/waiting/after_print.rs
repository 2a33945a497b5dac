// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A waiter that registers after a print gets the event at once.

use std::os::fd::AsFd;

use anyhow::Result;

use super::{pending_events, waiter};
use crate::poll;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// Prints, then registers.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    wanted::print(fd, Stream::Stdout, 1)?;
    for (how, flag) in [("level", 0), ("edge", poll::EDGE)] {
        // the first descriptor of the stream is opened after the print, too
        let descriptor = StreamFd::open(fd, Stream::Stdout)?;
        let late = waiter(descriptor.as_fd(), poll::IN | flag)?;
        ctx.note(format!("{how}-triggered: {}", pending_events(&late)?));
    }
    Stream::Stdout.drain(fd, &mut ctx.output.stdout)?;
    Ok(None)
}
