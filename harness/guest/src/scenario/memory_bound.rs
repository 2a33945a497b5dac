// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The memory that a stream pins is bounded by its limit, and given back when all is read.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use libbpf_rs::{Map, MapCore as _, MapFlags};

use super::free_memory::{self, SLACK_KIB};
use crate::cpus;
use crate::fdinfo::Counters;
use crate::prog_run;
use crate::settings;
use crate::stream::Stream;
use crate::sysctl::{self, Limit};
use crate::test_ctx::TestCtx;
use crate::wait::TIMEOUT;

/// On top of twice the limit.
const MORE_KIB: i64 = 256;

const SMALL: u32 = 4096;

/// CPUs of a program that runs while the memory is measured, and of the measurement.
const RUNS_ON: u32 = 1;
const MEASURES_ON: u32 = 0;

/// With the default limit.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, |_| Ok(()))
}

/// With the smallest limit.
pub fn run_4096(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(SMALL)?;
    run_with(ctx, |_| Ok(()))
}

/// With the smallest limit; after each run a part is read in pieces.
pub fn run_partial_reads(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    const PIECE: usize = 7;
    const PART: usize = 1000;
    let limit = Limit::keep()?;
    limit.set(SMALL)?;
    run_with(ctx, |fd| {
        let mut buffer = [0; PIECE];
        let mut done = 0;
        while done < PART {
            let count = Stream::Stdout
                .read(fd, &mut buffer)
                .map_err(|error| Stream::Stdout.read_error(&error))?;
            ensure!(count > 0, "the stream holds less than {PART} bytes");
            done += count;
        }
        Ok(())
    })
}

/// Runs as often as the spec says, measures, reads all, and measures again.
fn run_with(
    ctx: &mut TestCtx<'_>,
    after_run: impl Fn(BorrowedFd<'_>) -> Result<()>,
) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let before = free_memory::settled()?;
    let mut retval = 0;
    for _ in 0..ctx.spec.repeat {
        retval = prog_run::run_fd(fd)?;
        after_run(fd)?;
    }
    check_used(ctx, fd, before)?;
    check_restored(ctx, fd, before)?;
    Ok(Some(retval))
}

/// The program holds four elements until `flags.measured` is set.
pub fn run_held(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let flags = Flags(loaded.map("flags")?);
    let before = free_memory::settled()?;
    let ended = AtomicBool::new(false);
    let retval = thread::scope(|scope| {
        let holder = scope.spawn(|| {
            let retval = prog_run::run_fd(fd);
            ended.store(true, Ordering::Release);
            retval
        });
        let measured = flags
            .wait_until_held(&ended)
            .and_then(|()| check_used(ctx, fd, before));
        flags.set_measured()?;
        let retval = holder.join().map_err(|_| anyhow!("a thread panicked"))??;
        measured?;
        anyhow::Ok(retval)
    })?;
    check_restored(ctx, fd, before)?;
    Ok(Some(retval))
}

/// The program prints and takes its text from the stream in one run; the memory is measured while it
/// runs, on another CPU.
pub fn run_recycled(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    const ROOM: u32 = 16384;
    let limit = Limit::keep()?;
    limit.set(ROOM)?;
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let before = free_memory::settled()?;
    let everywhere = cpus::online()?;
    cpus::stay_on(MEASURES_ON)?;
    let ended = AtomicBool::new(false);
    let measured = thread::scope(|scope| {
        let runner = scope.spawn(|| {
            let retval = cpus::stay_on(RUNS_ON).and_then(|()| prog_run::run_fd_on_packet(fd));
            ended.store(true, Ordering::Release);
            retval
        });
        let mut most = 0;
        while !ended.load(Ordering::Acquire) {
            most = most.max(before - free_memory::now()?);
        }
        let retval = runner.join().map_err(|_| anyhow!("a thread panicked"))??;
        anyhow::Ok((retval, most))
    });
    cpus::stay_on_any(&everywhere)?;
    let (retval, used) = measured?;
    let bound = 2 * i64::from(ROOM) / 1024 + MORE_KIB;
    check_within(used, bound)?;
    ctx.note(format!(
        "limit {ROOM}: the memory in use is within the bound"
    ));
    free_memory::wait_until_restored(before)?;
    ctx.note("memory is back where it was");
    Ok(Some(retval))
}

/// Checks memory in use against the bound, both in KiB.
fn check_within(used: i64, bound: i64) -> Result<()> {
    ensure!(
        used <= bound + SLACK_KIB,
        "{used} KiB are in use; {bound} KiB are allowed, and {SLACK_KIB} KiB for the rest of the guest"
    );
    // differs in every run, so it is not noted
    eprintln!("bpf-streams-guest: {used} KiB are in use, {bound} KiB are allowed");
    Ok(())
}

/// The program's `struct flags`.
struct Flags<'a>(Map<'a>);

impl Flags<'_> {
    const KEY: [u8; 4] = 0_u32.to_ne_bytes();

    fn wait_until_held(&self, ended: &AtomicBool) -> Result<()> {
        let begun = Instant::now();
        loop {
            let value = self
                .0
                .lookup(&Flags::KEY, MapFlags::ANY)
                .context("cannot read the flags")?
                .context("the flags have no entry")?;
            if value.first().is_some_and(|held| *held != 0) {
                return Ok(());
            }
            ensure!(
                !ended.load(Ordering::Acquire) && begun.elapsed() < settings::scaled(TIMEOUT),
                "the program did not hold its elements"
            );
            thread::yield_now();
        }
    }

    fn set_measured(&self) -> Result<()> {
        let value = [1_u32.to_ne_bytes(), 1_u32.to_ne_bytes()].concat();
        self.0
            .update(&Flags::KEY, &value, MapFlags::ANY)
            .context("cannot write the flags")
    }
}

/// The bound holds for each stream that has text.
fn check_used(ctx: &mut TestCtx<'_>, program: BorrowedFd<'_>, before: i64) -> Result<()> {
    let used = before - free_memory::now()?;
    let limit: i64 = sysctl::get()?.parse().context("the limit is no number")?;
    let counters = Counters::of(program)?;
    let streams = Stream::ALL
        .iter()
        .filter(|stream| counters.pending(**stream) > 0)
        .count() as i64;
    ensure!(streams > 0, "the program has no unread text");
    let bound = streams * (2 * limit / 1024 + MORE_KIB);
    check_within(used, bound)
        .with_context(|| format!("{streams} streams with a limit of {limit} bytes"))?;
    ctx.note(format!(
        "limit {limit}: the memory in use is within the bound"
    ));
    Ok(())
}

fn check_restored(ctx: &mut TestCtx<'_>, program: BorrowedFd<'_>, before: i64) -> Result<()> {
    let mut text = Vec::new();
    for stream in Stream::ALL {
        stream.drain(program, &mut text)?;
    }
    drop(text);
    free_memory::wait_until_restored(before)?;
    ctx.note("all read: memory is back where it was");
    Ok(())
}
