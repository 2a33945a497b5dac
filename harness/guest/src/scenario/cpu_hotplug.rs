// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Takes a CPU away and brings it back. The program prints on it when it does not count as online,
//! and nothing that it queues need be run; who waits is woken all the same.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cpus::HOTPLUG_SWITCH;
use crate::poll::{self, Waiter};
use crate::prog_run;
use crate::settings;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Twice, as what got stuck the first time would show the second time.
const TIMES: usize = 2;

/// Waits for what is printed on the way out while the CPU is away.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, |ctx, program| {
        let waiter = waiter(program)?;
        let _unplugged = Unplugged::take()?;
        expect(ctx, program, &waiter)
    })
}

/// Waits for what is printed on the way in when the CPU is back. Begins to wait when it is away: no
/// wake-up of its going may be taken for one of its coming.
pub fn run_online(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, |ctx, program| {
        let unplugged = Unplugged::take()?;
        let waiter = waiter(program)?;
        drop(unplugged);
        expect(ctx, program, &waiter)
    })
}

/// Attaches the program, and takes turns.
fn run_with(
    ctx: &mut TestCtx<'_>,
    turn: fn(&mut TestCtx<'_>, BorrowedFd<'_>) -> Result<()>,
) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let link = prog_run::attach(&program)?;
    for _ in 0..TIMES {
        turn(ctx, program.as_fd())?;
    }
    drop(link);
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    Ok(None)
}

fn waiter(program: BorrowedFd<'_>) -> Result<Waiter> {
    Waiter::new(program, poll::STDOUT | poll::EDGE)
        .context("cannot wait for the program with epoll")
}

/// Waits for the text, and reads it.
fn expect(ctx: &mut TestCtx<'_>, program: BorrowedFd<'_>, waiter: &Waiter) -> Result<()> {
    let events = waiter
        .wait(settings::scaled(TIMEOUT))
        .context("epoll_wait")?;
    ensure!(events != 0, "a wake-up was lost with the CPU");
    ctx.note(format!("woken: {}", poll::describe(events)));
    Stream::Stdout.drain(program, &mut ctx.output.stdout)
}

/// The second CPU is away until this is dropped.
struct Unplugged;

impl Unplugged {
    fn take() -> Result<Unplugged> {
        fs::write(HOTPLUG_SWITCH, "0")
            .with_context(|| format!("cannot write 0 to {HOTPLUG_SWITCH}"))?;
        Ok(Unplugged)
    }
}

impl Drop for Unplugged {
    fn drop(&mut self) {
        if let Err(error) = fs::write(HOTPLUG_SWITCH, "1") {
            // the tests after this one run on fewer CPUs: the console's reader must know
            eprintln!("bpf-streams-guest: cannot write 1 to {HOTPLUG_SWITCH}: {error}");
        }
    }
}
