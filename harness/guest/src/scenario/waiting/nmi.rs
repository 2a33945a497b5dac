// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A print in an NMI wakes tasks that sleep in epoll and in a blocking read.

use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use wire::Request;

use super::{next, waiter};
use crate::poll;
use crate::prog_run;
use crate::scenario::blocked::Blocked;
use crate::settings;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// The first NMI may come before the attachment is active.
const TRIES: usize = 5;

/// Time limit for the wake-up of one NMI.
const TRY_TIME: Duration = Duration::from_secs(1);

/// Attaches, waits until two threads sleep, injects NMIs until both wake up, and reads.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let stdout = StreamFd::open(program.as_fd(), Stream::Stdout)?;
    let stderr = StreamFd::open_blocking(program.as_fd(), Stream::Stderr)?;
    let waiter = waiter(stdout.as_fd(), poll::IN | poll::EDGE)?;
    let link = prog_run::attach(&program)?;
    let mut text = [0; 64];
    let (events, read) = thread::scope(|scope| {
        let sleeper = Blocked::start(scope, || next(&waiter))?;
        let reader = Blocked::start(scope, || stderr.read(&mut text))?;
        for _ in 0..TRIES {
            ctx.channel.request(Request::Nmi)?;
            if stdout.wait(settings::scaled(TRY_TIME))? != 0 {
                break;
            }
        }
        let expected = "a print in an NMI";
        anyhow::Ok((sleeper.result(expected)?, reader.result(expected)?))
    })?;
    drop(link);
    ctx.note(format!("woken by an NMI: {}", poll::describe(events?)));
    let read = read.context("cannot read stderr")?;
    ctx.output.stderr.extend_from_slice(&text[..read]);
    stdout.drain(&mut ctx.output.stdout)?;
    Ok(None)
}
