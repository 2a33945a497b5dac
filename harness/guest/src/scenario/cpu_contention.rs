// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the program on a CPU that another thread keeps busy, and checks that may_goto's limit of
//! 250 ms is not measured in CPU time: the program must get less CPU time than that.

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

/// More than the program's share of 250 ms, which is a half, and less than 250 ms.
const MAX_CPU_TIME: Duration = Duration::from_millis(225);

/// A busy host can preempt the guest's CPU, and the guest counts that as the program's CPU time,
/// which makes a run inconclusive. A program whose limit is CPU time takes too long in every run.
const RUNS: usize = 10;

/// Runs the program until one run is conclusive.
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
        if taken < MAX_CPU_TIME {
            break;
        }
    }
    ensure!(
        taken < MAX_CPU_TIME,
        "the program used {} ms of CPU time in the last of {RUNS} runs, and too much in each run",
        taken.as_millis()
    );
    ctx.note("less than 250 ms of the CPU's time were the program's");
    Ok(None)
}

/// One thread runs the program, another thread keeps its CPU busy. Returns the CPU time of the
/// first.
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

/// Runs the program on CPU 0; returns its CPU time.
fn run_timed(program: BorrowedFd<'_>) -> Result<Duration> {
    cpus::stay_on(0)?;
    let before = cpu_time();
    prog_run::run_fd(program)?;
    Ok(cpu_time().saturating_sub(before))
}

/// This thread's CPU time.
fn cpu_time() -> Duration {
    // SAFETY: two numbers; zeros are valid values.
    let mut time: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: valid for writes. Every kernel has this clock, so the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
