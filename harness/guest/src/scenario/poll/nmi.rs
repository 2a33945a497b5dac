// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A print in an NMI wakes a sleeping waiter.

use std::fs;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use wire::Request;

use super::{next, waiter};
use crate::poll;
use crate::prog_run;
use crate::settings;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// The first NMI may come before the attachment is active.
const TRIES: usize = 5;

/// Attaches, waits until a thread sleeps, injects NMIs until it wakes up, and reads.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let waiter = waiter(program.as_fd(), poll::STDOUT | poll::EDGE)?;
    let link = prog_run::attach(&program)?;
    let (sender, tid) = std::sync::mpsc::channel();
    let events = thread::scope(|scope| {
        let sleeper = scope.spawn(move || {
            // SAFETY: takes nothing and returns a number.
            let _ = sender.send(unsafe { libc::gettid() });
            next(&waiter)
        });
        wait_until_asleep(tid.recv().context("the thread has ended")?)?;
        for _ in 0..TRIES {
            ctx.channel.request(Request::Nmi)?;
            let begun = Instant::now();
            while !sleeper.is_finished() && begun.elapsed() < settings::scaled(TRY_TIME) {
                thread::yield_now();
            }
            if sleeper.is_finished() {
                break;
            }
        }
        sleeper.join().map_err(|_| anyhow!("the thread panicked"))?
    })?;
    drop(link);
    ctx.note(format!("woken by an NMI: {}", poll::describe(events)));
    Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    Ok(None)
}

const TRY_TIME: Duration = Duration::from_secs(1);

/// Waits until the thread sleeps.
fn wait_until_asleep(thread: libc::pid_t) -> Result<()> {
    let file = format!("/proc/self/task/{thread}/stat");
    let begun = Instant::now();
    loop {
        let stat = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        // the state is the field after the name, which is in parentheses
        if stat
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('S'))
        {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < settings::scaled(TRY_TIME),
            "the thread does not sleep: {stat}"
        );
        thread::yield_now();
    }
}
