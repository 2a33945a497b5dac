// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The program's own fd: it supports no poll, as on an unpatched kernel.

use std::os::fd::AsFd;

use anyhow::{Context, Result};

use crate::errno;
use crate::poll::{self, Waiter};
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Notes what poll and epoll return for the program's fd, without and with text.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    for lines in [0, 1] {
        wanted::print(fd, Stream::Stdout, lines)?;
        wanted::print(fd, Stream::Stderr, lines)?;
        let events = poll::now(fd).context("poll")?;
        let epoll = match Waiter::new(fd, poll::IN) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => errno::describe(&error),
        };
        ctx.note(format!(
            "{lines} lines in each stream: poll {}, epoll {epoll}",
            poll::describe(events)
        ));
    }
    Stream::Stdout.drain(fd, &mut ctx.output.stdout)?;
    Stream::Stderr.drain(fd, &mut ctx.output.stderr)?;
    Ok(None)
}
