// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Locks from every context on every CPU, for as long as the host says: half of the time with waiters
//! in a queue, half without. Then the program `balance` of the test looks at what is left, and the
//! failures that the programs counted are held against those that the kernel reported.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use reports::Item;
use wire::Request;

use crate::channel::Channel;
use crate::cpus;
use crate::load::Loaded;
use crate::prog_run;
use crate::rqspinlock_unfair::UnfairParam;
use crate::settings;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Between two NMIs: as often as there is something new for them to interrupt.
const NMIS_APART: Duration = Duration::from_millis(5);

/// In processes and interrupts.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, false)
}

/// In NMIs besides, which the host injects.
pub fn run_with_nmis(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, true)
}

fn run_with(ctx: &mut TestCtx<'_>, nmis: bool) -> Result<Option<i64>> {
    let mut loaded = ctx.load()?;
    let unfair = UnfairParam::keep()?;
    for queued in [true, false] {
        unfair.set_queued(queued)?;
        let channel = nmis.then_some(&mut *ctx.channel);
        torture(&loaded, channel, settings::stress() / 2)?;
    }
    loaded.detach_others();
    // those that were attached may have been at work
    cpus::wait_for_programs()?;
    check_reports(ctx, &loaded).map(|()| None)
}

/// Has all of them take locks, for so long.
fn torture(loaded: &Loaded, channel: Option<&mut Channel>, time: Duration) -> Result<()> {
    let (program, stop) = (loaded.program()?, loaded.other("stop")?);
    let (start_timer, stubborn) = (loaded.other("start_timer")?, loaded.other("stubborn")?);
    let (program, start_timer) = (program.as_fd(), start_timer.as_fd());
    let (stop, stubborn) = (stop.as_fd(), stubborn.as_fd());
    let cpus = cpus::online()?;
    let running = &AtomicUsize::new(cpus.len());
    let until = Instant::now() + time;
    thread::scope(|scope| {
        let mut threads: Vec<_> = cpus
            .into_iter()
            .map(|cpu| {
                scope.spawn(move || {
                    let outcome = on_cpu(cpu, program, start_timer, until);
                    running.fetch_sub(1, Ordering::Release);
                    outcome
                })
            })
            .collect();
        threads.push(scope.spawn(move || run_expecting(stubborn, "stubborn", 0..=1)));
        let injected = inject(channel, running);
        for thread in threads {
            thread.join().map_err(|_| anyhow!("a thread panicked"))??;
        }
        injected
    })?;
    run_expecting(stop, "stop", 0..=0)
}

/// Runs the program on that CPU again and again, with its timer going.
fn on_cpu(
    cpu: u32,
    program: BorrowedFd<'_>,
    start_timer: BorrowedFd<'_>,
    until: Instant,
) -> Result<()> {
    cpus::stay_on(cpu)?;
    run_expecting(start_timer, "start_timer", 0..=0)?;
    while Instant::now() < until {
        run_expecting(program, "the program", 0..=0)?;
    }
    Ok(())
}

/// Has the host inject NMIs while there is somebody at work.
fn inject(channel: Option<&mut Channel>, running: &AtomicUsize) -> Result<()> {
    let Some(channel) = channel else {
        return Ok(());
    };
    while running.load(Ordering::Acquire) > 0 {
        channel.request(Request::Nmi)?;
        thread::sleep(NMIS_APART);
    }
    Ok(())
}

fn run_expecting(
    program: BorrowedFd<'_>,
    name: &str,
    allowed: std::ops::RangeInclusive<i64>,
) -> Result<()> {
    let returned = prog_run::run_fd(program).with_context(|| name.to_owned())?;
    ensure!(allowed.contains(&returned), "{name} returned {returned}");
    Ok(())
}

/// Looks at what is left, and at what was reported.
fn check_reports(ctx: &mut TestCtx<'_>, loaded: &Loaded) -> Result<()> {
    let balance = loaded.other("balance")?;
    let failures = prog_run::run_fd(balance.as_fd())?;
    Stream::Stdout.drain(balance.as_fd(), &mut ctx.output.stdout)?;
    let mut figures = Vec::new();
    Stream::Stderr.drain(balance.as_fd(), &mut figures)?;
    // they differ from run to run, so that they are for the reader of the console only
    for line in String::from_utf8_lossy(&figures).lines() {
        eprintln!("{}: {line}", ctx.test.name);
    }
    let mut reported = reports_of(loaded.program()?.as_fd(), &mut ctx.output.stderr)?;
    for name in &ctx.spec.load_with {
        if name != "balance" {
            reported += reports_of(loaded.other(name)?.as_fd(), &mut ctx.output.stderr)?;
        }
    }
    ensure!(
        u64::try_from(failures) == Ok(reported),
        "the programs counted {failures} failures, the kernel reported {reported}"
    );
    ctx.note("each failure was reported");
    Ok(())
}

/// How many failures the program's stderr tells of, in words or as suppressed. The text is left in
/// `text` only where it cannot be understood.
fn reports_of(program: BorrowedFd<'_>, text: &mut Vec<u8>) -> Result<u64> {
    Stream::Stderr.drain(program, text)?;
    let items = reports::parse(text).context("stderr holds a report that cannot be understood")?;
    text.clear();
    Ok(items
        .iter()
        .map(|item| match item {
            Item::KernelReport(_) => 1,
            Item::ReportsSuppressed { count } => *count,
        })
        .sum())
}
