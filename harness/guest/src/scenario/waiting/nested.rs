// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! An epoll that watches an epoll that watches a stream descriptor.

use std::os::fd::AsFd;
use std::thread;

use anyhow::{Context, Result};

use super::{next, pending_events, waiter};
use crate::poll::{self, Waiter};
use crate::scenario::blocked::Blocked;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// A thread sleeps in the outer epoll while the program prints, and while it is freed.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = wanted::copy(&loaded)?;
    let stdout = StreamFd::open(program.as_fd(), Stream::Stdout)?;
    let inner = waiter(stdout.as_fd(), poll::IN | poll::EDGE)?;
    let outer = waiter(inner.as_fd(), poll::IN)?;
    ctx.note(format!("before: {}", pending_events(&outer)?));
    note_wake_up(ctx, "a print", [&outer, &inner], || {
        wanted::print(program.as_fd(), Stream::Stdout, 1)
    })?;
    ctx.note(format!("looked again: {}", pending_events(&outer)?));
    stdout.drain(&mut ctx.output.stdout)?;
    note_wake_up(ctx, "the program freed", [&outer, &inner], move || {
        drop(program);
        Ok(())
    })?;
    Ok(None)
}

/// Makes something happen while a thread sleeps in the outer epoll, and notes the events of both.
fn note_wake_up(
    ctx: &mut TestCtx<'_>,
    what: &str,
    [outer, inner]: [&Waiter; 2],
    happen: impl FnOnce() -> Result<()>,
) -> Result<()> {
    thread::scope(|scope| {
        let sleeper = Blocked::start(scope, || next(outer))?;
        happen()?;
        let events = sleeper.result(what)?.context("the outer epoll")?;
        ctx.note(format!(
            "{what}: outer {}, inner {}",
            poll::describe(events),
            pending_events(inner)?
        ));
        Ok(())
    })
}
