// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The events that poll and epoll return, as text is printed and read.

use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};

use super::{pending_events, waiter};
use crate::poll;
use crate::scenario::blocked::TIMEOUT;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// Prints and reads, frees the program, and notes the events of both streams after each step.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = wanted::copy(&loaded)?;
    let fd = program.as_fd();
    let stdout = StreamFd::open(fd, Stream::Stdout)?;
    let stderr = StreamFd::open(fd, Stream::Stderr)?;
    let mut note = |step: &str| {
        let events = [describe(&stdout, step)?, describe(&stderr, step)?];
        ctx.note(format!("{step}: {} | {}", events[0], events[1]));
        anyhow::Ok(())
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());

    note("at the beginning")?;
    wanted::print(fd, Stream::Stdout, 1)?;
    note("a print to stdout")?;
    wanted::print(fd, Stream::Stderr, 1)?;
    note("a print to stderr")?;
    let mut part = [0; 2];
    let count = stdout.read(&mut part).context("cannot read stdout")?;
    out.extend_from_slice(&part[..count]);
    note("a part of stdout read")?;
    stdout.drain(&mut out)?;
    note("the rest of stdout read")?;
    drop(program);
    stdout.wait_for_hangup(TIMEOUT)?;
    note("the program freed")?;
    stderr.drain(&mut err)?;
    note("stderr read")?;
    ctx.output.stdout = out;
    ctx.output.stderr = err;
    Ok(None)
}

/// The events of poll; epoll must return the same for the events that it is asked for.
fn describe(descriptor: &StreamFd, step: &str) -> Result<String> {
    let events = poll::describe(poll::now(descriptor.as_fd()).context("poll")?);
    let epoll = pending_events(&waiter(descriptor.as_fd(), poll::ALL)?)?;
    ensure!(
        epoll == events,
        "{step}: poll says {events}, epoll says {epoll}"
    );
    Ok(events)
}
