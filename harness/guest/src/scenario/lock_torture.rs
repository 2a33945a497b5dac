// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Takes locks in every context on every CPU for the duration of a stress test: half of the time
//! with queued waiters, half with unfair locks. Then the program `balance` of the test checks the
//! final state, and the failures that the programs counted must match those that the kernel
//! reported.

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

/// Pause between two NMIs.
const NMI_PERIOD: Duration = Duration::from_millis(5);

/// In process and interrupt context.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, false)
}

/// Also in NMIs, which the host injects.
pub fn run_with_nmis(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, true)
}

fn run_with(ctx: &mut TestCtx<'_>, nmis: bool) -> Result<Option<i64>> {
    let mut loaded = ctx.load()?;
    let param = UnfairParam::keep()?;
    for queued in [true, false] {
        param.set_queued(queued)?;
        let channel = nmis.then_some(&mut *ctx.channel);
        torture(&loaded, channel, settings::stress() / 2)?;
    }
    loaded.detach_others();
    // detached programs may still be running
    cpus::wait_for_programs()?;
    check_reports(ctx, &loaded).map(|()| None)
}

/// Runs all programs for this time.
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

/// Starts the CPU's timer, and runs the program on that CPU repeatedly.
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

/// Makes the host inject NMIs until all CPUs are done.
fn inject(channel: Option<&mut Channel>, running: &AtomicUsize) -> Result<()> {
    let Some(channel) = channel else {
        return Ok(());
    };
    while running.load(Ordering::Acquire) > 0 {
        channel.request(Request::Nmi)?;
        thread::sleep(NMI_PERIOD);
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

/// Checks the final state and the reports.
fn check_reports(ctx: &mut TestCtx<'_>, loaded: &Loaded) -> Result<()> {
    let balance = loaded.other("balance")?;
    let failures = prog_run::run_fd(balance.as_fd())?;
    Stream::Stdout.drain(balance.as_fd(), &mut ctx.output.stdout)?;
    let mut figures = Vec::new();
    Stream::Stderr.drain(balance.as_fd(), &mut figures)?;
    // these figures differ from run to run, so they go to the console only
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

/// The number of failures that the program's stderr reports, as a report or as suppressed. `text`
/// keeps the text only if it cannot be parsed.
fn reports_of(program: BorrowedFd<'_>, text: &mut Vec<u8>) -> Result<u64> {
    Stream::Stderr.drain(program, text)?;
    let items = reports::parse(text).context("cannot parse a report in stderr")?;
    text.clear();
    Ok(items
        .iter()
        .map(|item| match item {
            Item::KernelReport(_) => 1,
            Item::ReportsSuppressed { count } => *count,
        })
        .sum())
}
