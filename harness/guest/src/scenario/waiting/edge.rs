// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Edge-triggered: going from empty to readable raises an edge, and so does the end of the program.

use std::os::fd::AsFd;

use anyhow::Result;

use super::{next, pending_events, waiter};
use crate::poll;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// Notes the events of a waiter for stdout while the program prints to both streams.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = wanted::copy(&loaded)?;
    let fd = program.as_fd();
    let stdout = StreamFd::open(fd, Stream::Stdout)?;
    let stderr = StreamFd::open(fd, Stream::Stderr)?;
    let waiter = waiter(stdout.as_fd(), poll::IN | poll::EDGE)?;
    ctx.note(format!("before: {}", pending_events(&waiter)?));
    for round in ["first", "second"] {
        wanted::print(fd, Stream::Stdout, 1)?;
        ctx.note(format!(
            "{round} print to stdout: {}",
            poll::describe(next(&waiter)?)
        ));
        ctx.note(format!("looked again: {}", pending_events(&waiter)?));
        wanted::print(fd, Stream::Stderr, 1)?;
        ctx.note(format!("a print to stderr: {}", pending_events(&waiter)?));
        stdout.drain(&mut ctx.output.stdout)?;
        ctx.note(format!("all read: {}", pending_events(&waiter)?));
    }
    drop(program);
    ctx.note(format!(
        "the program freed: {}",
        poll::describe(next(&waiter)?)
    ));
    ctx.note(format!("looked again: {}", pending_events(&waiter)?));
    stderr.drain(&mut ctx.output.stderr)?;
    Ok(None)
}
