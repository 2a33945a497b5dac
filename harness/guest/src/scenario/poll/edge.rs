// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Edge-triggered: one event per print after the last `epoll_wait()`, whether text was read or not.

use std::os::fd::AsFd;

use anyhow::Result;

use super::{next, pending_events, print, waiter};
use crate::poll;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Notes the events of a waiter for both streams, and of a waiter for stderr only.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let both = waiter(fd, poll::STDOUT | poll::STDERR | poll::EDGE)?;
    let stderr_only = waiter(fd, poll::STDERR | poll::EDGE)?;
    ctx.note(format!("before: {}", pending_events(&both)?));

    for step in ["a print to stdout", "another, nothing read"] {
        print(fd, 1, 0)?;
        ctx.note(format!("{step}: {}", poll::describe(next(&both)?)));
        ctx.note(format!("looked again: {}", pending_events(&both)?));
    }
    ctx.note(format!(
        "poller of stderr: {}",
        pending_events(&stderr_only)?
    ));

    print(fd, 0, 1)?;
    ctx.note(format!(
        "a print to stderr: {}",
        poll::describe(next(&both)?)
    ));
    ctx.note(format!(
        "poller of stderr: {}",
        poll::describe(next(&stderr_only)?)
    ));

    Stream::Stdout.drain(fd, &mut ctx.output.stdout)?;
    Stream::Stderr.drain(fd, &mut ctx.output.stderr)?;
    ctx.note(format!("all read: {}", pending_events(&both)?));
    print(fd, 1, 0)?;
    ctx.note(format!(
        "a print to stdout: {}",
        poll::describe(next(&both)?)
    ));
    Stream::Stdout.drain(fd, &mut ctx.output.stdout)?;
    Ok(None)
}
