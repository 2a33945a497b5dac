// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the program on a CPU that another thread keeps busy, and holds how much of the CPU's time it
//! got against what it would need to measure 250 ms by that.

use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};

use super::threads;
use crate::cpus;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Between the half of 250 ms that is a thread's share, and all of it.
const MOST: Duration = Duration::from_millis(225);

/// A busy host can keep the guest's CPU from running, and its kernel counts that as the program's time.
/// Such a run says nothing. A program that is measured by its CPU's time takes more in every run.
const RUNS: usize = 10;

/// Runs the program until one run says something.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let mut taken = Duration::MAX;
    for _ in 0..RUNS {
        taken = run_contended(fd)?;
        ctx.output.stdout.clear();
        ctx.output.stderr.clear();
        Stream::Stdout.drain(fd, &mut ctx.output.stdout)?;
        Stream::Stderr.drain(fd, &mut ctx.output.stderr)?;
        if taken < MOST {
            break;
        }
    }
    ensure!(
        taken < MOST,
        "the program got {} ms of the CPU's time in the last of {RUNS} runs, too much in each",
        taken.as_millis()
    );
    ctx.note("less than 250 ms of the CPU's time were the program's");
    Ok(None)
}

/// One thread runs the program, one is in its way; gives the time that the CPU spent on the first.
fn run_contended(fd: BorrowedFd<'_>) -> Result<Duration> {
    let running = AtomicBool::new(true);
    type Work<'a> = Box<dyn FnOnce() -> Result<Duration> + Send + 'a>;
    let tasks: Vec<Work<'_>> = vec![
        Box::new(|| {
            let taken = run_timed(fd);
            running.store(false, Ordering::Relaxed);
            taken
        }),
        Box::new(|| {
            cpus::stay_on(0)?;
            while running.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            Ok(Duration::ZERO)
        }),
    ];
    Ok(threads::run_parallel(tasks)?[0])
}

/// Runs the program on the first CPU; gives the time that the CPU spent on it.
fn run_timed(program: BorrowedFd<'_>) -> Result<Duration> {
    cpus::stay_on(0)?;
    let before = cpu_time();
    prog_run::run_fd(program)?;
    Ok(cpu_time().saturating_sub(before))
}

/// The CPU's time that this thread had.
fn cpu_time() -> Duration {
    // SAFETY: two numbers, for which zeros are a value.
    let mut time: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: valid for writes; a clock that every kernel has, so it cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
