// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A print in an NMI wakes who sleeps.

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

/// An NMI may come while the handler's path is not armed yet.
const TRIES: usize = 5;

/// Attaches, lets a thread fall asleep, has NMIs injected until it wakes up, and reads.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let waiter = waiter(program.as_fd(), poll::STDOUT | poll::EDGE)?;
    let link = prog_run::attach(&program)?;
    let (tell, told) = std::sync::mpsc::channel();
    let events = thread::scope(|scope| {
        let sleeper = scope.spawn(move || {
            // SAFETY: takes nothing and gives a number.
            let _ = tell.send(unsafe { libc::gettid() });
            next(&waiter)
        });
        wait_until_asleep(told.recv().context("the thread is gone")?)?;
        for _ in 0..TRIES {
            ctx.channel.request(Request::Nmi)?;
            let begun = Instant::now();
            while !sleeper.is_finished() && begun.elapsed() < settings::scaled(TRY) {
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

const TRY: Duration = Duration::from_secs(1);

/// Waits until the thread has nothing to do.
fn wait_until_asleep(thread: libc::pid_t) -> Result<()> {
    let file = format!("/proc/self/task/{thread}/stat");
    let begun = Instant::now();
    loop {
        let stat = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        // the state stands behind the name, which stands in parentheses
        if stat
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('S'))
        {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < settings::scaled(TRY),
            "the thread does not fall asleep: {stat}"
        );
        thread::yield_now();
    }
}
