// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The events that poll and epoll return, as text is printed and read.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, ensure};

use super::{pending_events, print, waiter};
use crate::poll;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Prints and reads, and notes the events after each step.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    note(ctx, fd, "at the beginning")?;
    print(fd, 1, 0)?;
    note(ctx, fd, "a print to stdout")?;
    print(fd, 0, 1)?;
    note(ctx, fd, "a print to stderr")?;
    let mut part = [0; 2];
    let count = Stream::Stdout
        .read(fd, &mut part)
        .map_err(|error| Stream::Stdout.read_error(&error))?;
    ctx.output.stdout.extend_from_slice(&part[..count]);
    note(ctx, fd, "a part of stdout read")?;
    Stream::Stdout.drain(fd, &mut ctx.output.stdout)?;
    note(ctx, fd, "the rest of stdout read")?;
    Stream::Stderr.drain(fd, &mut ctx.output.stderr)?;
    note(ctx, fd, "stderr read")?;
    Ok(None)
}

/// Notes the events of poll; epoll must return the same for the events that it is asked for.
fn note(ctx: &mut TestCtx<'_>, program: BorrowedFd<'_>, step: &str) -> Result<()> {
    let events = poll::now(program).context("poll")?;
    let wanted = poll::STDOUT | poll::STDERR;
    let epoll = pending_events(&waiter(program, wanted)?)?;
    ensure!(
        epoll == poll::describe(events & wanted),
        "{step}: poll says {}, epoll says {epoll}",
        poll::describe(events)
    );
    ctx.note(format!("{step}: {}", poll::describe(events)));
    Ok(())
}
