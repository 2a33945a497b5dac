// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Waiters of a program that prints nothing and is freed: each must be woken.

use std::os::fd::AsFd;
use std::thread;

use anyhow::{Context, Result};

use super::{next, waiter};
use crate::poll;
use crate::scenario::blocked::{Blocked, TIMEOUT};
use crate::scenario::wanted;
use crate::settings;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// One thread sleeps in poll, one in a level-triggered and one in an edge-triggered epoll; then the
/// program is freed.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    for stream in Stream::ALL {
        let program = wanted::copy(&loaded)?;
        let descriptor = StreamFd::open(program.as_fd(), stream)?;
        let level = waiter(descriptor.as_fd(), poll::IN)?;
        let edge = waiter(descriptor.as_fd(), poll::IN | poll::EDGE)?;
        let timeout = settings::scaled(TIMEOUT);
        thread::scope(|scope| {
            let sleepers = [
                ("poll", Blocked::start(scope, || descriptor.wait(timeout))?),
                ("level-triggered", Blocked::start(scope, || next(&level))?),
                ("edge-triggered", Blocked::start(scope, || next(&edge))?),
            ];
            drop(program);
            for (what, sleeper) in sleepers {
                let events = sleeper.result("the program was freed")?;
                let events = events.with_context(|| format!("{stream}, {what}"))?;
                ctx.note(format!("{stream}, {what}: {}", poll::describe(events)));
            }
            anyhow::Ok(())
        })?;
    }
    Ok(None)
}
