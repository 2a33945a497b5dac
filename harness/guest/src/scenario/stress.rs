// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! All kinds of writers and readers at the same time, for the duration of a stress test; then the
//! counts are checked.
//!
//! The threads: one per CPU that runs the program, readers, one that loads and frees another
//! program, one that changes the limit. Timers that the program starts and a tracing program write
//! too.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use libbpf_rs::libbpf_sys;

use self::command::{Op, execute};
use self::read_lines::ReadLines;
use super::{lines, load_insns, threads};
use crate::cpus;
use crate::fault_injection::FailAtomic;
use crate::prog_run;
use crate::settings;
use crate::stream::Stream;
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;

mod command;
mod read_lines;

/// The kinds of writers, and the number of the first writer of each kind. Each kind has one writer
/// per CPU.
const WRITERS: &[(&str, u32)] = &[("process", 0), ("timer", 8), ("tracing", 16)];

/// Limits that are set in turn: the minimum, a common one, and more than is printed.
const LIMITS: &[u32] = &[4096, 64 << 10, 16 << 20];

/// Duration of each limit.
const LIMIT_PERIOD: Duration = Duration::from_millis(3);

/// Lines per read of each reader of the program's stdout; the last entry is for the reader of the
/// tracing program.
const READERS: &[usize] = &[1, 10, 256];

/// Percentage of atomic allocations that fail.
const FAILING_PERCENT: u32 = 33;

/// Without injected failures.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, || Ok(None))
}

/// With failing allocations, once all programs are loaded.
pub fn run_alloc_failures(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, || FailAtomic::start(FAILING_PERCENT).map(Some))
}

fn run_with(
    ctx: &mut TestCtx<'_>,
    injection: impl FnOnce() -> Result<Option<FailAtomic>>,
) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let tracing = loaded.other("tracing")?;
    let other = loaded.other("passing")?;
    let workers = Workers {
        program: program.as_fd(),
        tracing: tracing.as_fd(),
        other: other.insns(),
        limit: &limit,
        cpus: cpus::online()?,
        until: Instant::now() + settings::stress(),
        writing: AtomicUsize::new(0),
        reading: AtomicBool::new(true),
    };
    let received = {
        let _injection = injection()?;
        workers.run()?
    };
    workers.check_counts(&received)?;
    for (kind, _) in WRITERS {
        ctx.note(format!(
            "{kind}: what was accepted was read once, whole and in order"
        ));
    }
    ctx.note("what was tried was accepted or refused");
    Ok(None)
}

/// State that the threads share.
struct Workers<'a> {
    program: BorrowedFd<'a>,
    tracing: BorrowedFd<'a>,
    other: &'a [libbpf_sys::bpf_insn],
    limit: &'a Limit,
    cpus: Vec<u32>,
    until: Instant,
    /// Number of running writers.
    writing: AtomicUsize,
    /// Whether more text may be printed.
    reading: AtomicBool,
}

impl Workers<'_> {
    /// Runs all threads; returns the lines that were read.
    fn run(&self) -> Result<ReadLines> {
        type Worker<'a> = Box<dyn FnOnce() -> Result<ReadLines> + Send + 'a>;
        let mut workers: Vec<Worker<'_>> = Vec::new();
        self.writing.store(self.cpus.len(), Ordering::Release);
        for &cpu in &self.cpus {
            workers.push(Box::new(move || self.without_lines(self.write(cpu))));
        }
        for (index, &at_once) in READERS.iter().enumerate() {
            let last = index + 1 == READERS.len();
            let stream = if last { self.tracing } else { self.program };
            workers.push(Box::new(move || self.read(stream, at_once)));
        }
        workers.push(Box::new(|| self.without_lines(self.load_and_remove())));
        workers.push(Box::new(|| self.without_lines(self.change_limit())));
        let mut received = ReadLines::default();
        for read_lines in threads::run_parallel(workers)? {
            received.merge(read_lines)?;
        }
        // the tracing program may have been printing when it was stopped
        cpus::wait_for_programs()?;
        for program in [self.program, self.tracing] {
            received.merge(self.read(program, READERS[0])?)?;
        }
        Ok(received)
    }

    /// For a thread that reads nothing: if it fails, the readers must stop.
    fn without_lines(&self, worker: Result<()>) -> Result<ReadLines> {
        if worker.is_err() {
            self.reading.store(false, Ordering::Release);
        }
        worker.map(|()| ReadLines::default())
    }

    /// Writes as the process writer of a CPU. The last writer to end stops the timers and the
    /// readers.
    fn write(&self, cpu: u32) -> Result<()> {
        cpus::stay_on(cpu)?;
        self.start_timer()?;
        while self.is_running() {
            execute(self.program, Op::Print, cpu)?;
        }
        if self.writing.fetch_sub(1, Ordering::AcqRel) == 1 {
            execute(self.program, Op::StopTimers, 0)?;
            self.reading.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Starts the timer of this thread's CPU. The allocation of the timer may fail.
    fn start_timer(&self) -> Result<()> {
        while self.is_running() {
            match command::try_execute(self.program, Op::StartTimer)? {
                0 => return Ok(()),
                code if code == -libc::ENOMEM => {}
                code => bail!("the program cannot start a timer: it returned {code}"),
            }
        }
        bail!("no timer could be started")
    }

    fn read(&self, program: BorrowedFd<'_>, lines: usize) -> Result<ReadLines> {
        let mut read_lines = ReadLines::default();
        let mut buffer = vec![0; lines * lines::LENGTH];
        loop {
            // loaded before the read: everything printed before it became false is in this read
            let more_may_come = self.reading.load(Ordering::Acquire);
            let count = Stream::Stdout
                .read(program, &mut buffer)
                .map_err(|error| Stream::Stdout.read_error(&error))?;
            read_lines.read(&buffer[..count])?;
            if count == 0 && !more_may_come {
                return Ok(read_lines);
            }
        }
    }

    fn load_and_remove(&self) -> Result<()> {
        while self.is_running() {
            match load_insns::load(self.other) {
                Ok(copy) => prog_run::run_fd(copy.as_fd()).map(drop)?,
                // an injected failure
                Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
                Err(error) => return Err(error).context("cannot load another program"),
            }
        }
        Ok(())
    }

    fn change_limit(&self) -> Result<()> {
        for limit in LIMITS.iter().cycle() {
            if !self.is_running() {
                break;
            }
            self.limit.set(*limit)?;
            thread::sleep(LIMIT_PERIOD);
        }
        Ok(())
    }

    fn is_running(&self) -> bool {
        Instant::now() < self.until && self.reading.load(Ordering::Acquire)
    }

    /// Compares the lines that were read with the counts of the program.
    fn check_counts(&self, received: &ReadLines) -> Result<()> {
        for (kind, first) in WRITERS {
            let mut accepted = 0;
            for cpu in &self.cpus {
                let writer = first + cpu;
                let counts = execute(self.program, Op::GetCounts, writer)?;
                ensure!(
                    counts.tried == counts.accepted + counts.refused,
                    "writer {writer} ({kind}): a print failed for another reason than lack of \
                     room or memory: {counts:?}"
                );
                received
                    .check(writer, counts.accepted)
                    .with_context(|| (*kind).to_owned())?;
                accepted += counts.accepted;
            }
            ensure!(accepted > 0, "nothing was printed by {kind} writers");
        }
        Ok(())
    }
}
