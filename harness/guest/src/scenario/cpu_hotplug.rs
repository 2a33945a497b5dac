// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Takes a CPU offline and online again. The program prints on it while it is not counted as
//! online, when irq_work that is queued on it may not run. The waiter must still be woken.

use std::fs;
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cpus::HOTPLUG_SWITCH;
use crate::poll::{self, Waiter};
use crate::prog_run;
use crate::settings;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Twice: state that is stuck after the first time shows the second time.
const TIMES: usize = 2;

/// Waits for text that is printed while the CPU goes offline.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, |ctx, stdout| {
        let waiter = waiter(stdout)?;
        let _offline = OfflineCpu::take()?;
        expect(ctx, stdout, &waiter)
    })
}

/// Waits for text that is printed while the CPU comes online. The waiter registers while the CPU is
/// offline, so that a wake-up from the way down is not taken for one from the way up.
pub fn run_online(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, |ctx, stdout| {
        let offline = OfflineCpu::take()?;
        let waiter = waiter(stdout)?;
        drop(offline);
        expect(ctx, stdout, &waiter)
    })
}

/// Attaches the program and calls `turn` [`TIMES`] times.
fn run_with(
    ctx: &mut TestCtx<'_>,
    turn: fn(&mut TestCtx<'_>, &StreamFd) -> Result<()>,
) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let link = prog_run::attach(&program)?;
    let stdout = StreamFd::open(program.as_fd(), Stream::Stdout)?;
    for _ in 0..TIMES {
        turn(ctx, &stdout)?;
    }
    drop(link);
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    // work that is stuck on the CPU would keep the stream from hearing of the end
    drop(loaded);
    stdout.wait_for_hangup(TIMEOUT)?;
    ctx.note("the program was freed, and the stream hung up");
    Ok(None)
}

fn waiter(stdout: &StreamFd) -> Result<Waiter> {
    Waiter::new(stdout.as_fd(), poll::IN | poll::EDGE).context("cannot wait with epoll")
}

/// Waits for text and reads it.
fn expect(ctx: &mut TestCtx<'_>, stdout: &StreamFd, waiter: &Waiter) -> Result<()> {
    let events = waiter
        .wait(settings::scaled(TIMEOUT))
        .context("epoll_wait")?;
    ensure!(events != 0, "a wake-up was lost during CPU hotplug");
    ctx.note(format!("woken: {}", poll::describe(events)));
    stdout.drain(&mut ctx.output.stdout).map(drop)
}

/// Takes CPU 1 offline. Dropping it brings the CPU online.
struct OfflineCpu;

impl OfflineCpu {
    fn take() -> Result<OfflineCpu> {
        fs::write(HOTPLUG_SWITCH, "0")
            .with_context(|| format!("cannot write 0 to {HOTPLUG_SWITCH}"))?;
        Ok(OfflineCpu)
    }
}

impl Drop for OfflineCpu {
    fn drop(&mut self) {
        if let Err(error) = fs::write(HOTPLUG_SWITCH, "1") {
            // later tests would run with fewer CPUs: report it on the console
            eprintln!("bpf-streams-guest: cannot write 1 to {HOTPLUG_SWITCH}: {error}");
        }
    }
}
