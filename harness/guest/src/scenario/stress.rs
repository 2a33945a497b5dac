// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Everything at once, for as long as the host says; then the received are balanced.
//!
//! Threads run their workers until the writers are done: one a CPU that runs the program, readers,
//! one that loads and removes another program, one that changes the limit. The timers that the
//! program starts and the tracing program write besides.

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

/// The kinds of writers and the number of the first of each; one of each kind a CPU.
const KINDS: &[(&str, u32)] = &[("process", 0), ("timer", 8), ("tracing", 16)];

/// Limits that the stream of the program has in turn: the least, a usual one, more than is printed.
const LIMITS: &[u32] = &[4096, 64 << 10, 16 << 20];

/// How long each stays.
const LIMIT_LASTS: Duration = Duration::from_millis(3);

/// How many lines each reader of the program's stream reads at once; the last is the tracing
/// program's reader.
const READERS: &[usize] = &[1, 10, 256];

/// How many percent of the allocations that may not wait fail.
const FAILING: u32 = 33;

/// With all the memory there is.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, || Ok(None))
}

/// With allocations that fail, once all programs are loaded.
pub fn run_alloc_failures(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, || FailAtomic::start(FAILING).map(Some))
}

fn run_with(
    ctx: &mut TestCtx<'_>,
    injection: impl FnOnce() -> Result<Option<FailAtomic>>,
) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let tracing = loaded.other("tracing")?;
    let passing = loaded.other("passing")?;
    let workers = Workers {
        program: program.as_fd(),
        tracing: tracing.as_fd(),
        passing: passing.insns(),
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
    for (kind, _) in KINDS {
        ctx.note(format!(
            "{kind}: what was accepted was read once, whole and in order"
        ));
    }
    ctx.note("what was tried was accepted or refused");
    Ok(None)
}

/// Op the threads share.
struct Workers<'a> {
    program: BorrowedFd<'a>,
    tracing: BorrowedFd<'a>,
    passing: &'a [libbpf_sys::bpf_insn],
    limit: &'a Limit,
    cpus: Vec<u32>,
    until: Instant,
    /// Threads that write.
    writing: AtomicUsize,
    /// Whether something may still be printed.
    reading: AtomicBool,
}

impl Workers<'_> {
    /// Plays all workers; gives what was read.
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
        // the tracing program may have been printing when it was told to stop
        cpus::wait_for_programs()?;
        for program in [self.program, self.tracing] {
            received.merge(self.read(program, READERS[0])?)?;
        }
        Ok(received)
    }

    /// A worker that reads nothing; its end, good or bad, must not leave the readers waiting.
    fn without_lines(&self, worker: Result<()>) -> Result<ReadLines> {
        if worker.is_err() {
            self.reading.store(false, Ordering::Release);
        }
        worker.map(|()| ReadLines::default())
    }

    /// Writes as the process of a CPU. The last to be done stops the timers, and the readers.
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

    /// Starts the timer of this thread's CPU. It is allocated, and allocations may be made to fail.
    fn start_timer(&self) -> Result<()> {
        while self.is_running() {
            match command::try_execute(self.program, Op::StartTimer)? {
                0 => return Ok(()),
                code if code == -libc::ENOMEM => {}
                code => bail!("the program returned {code} when it was to start a timer"),
            }
        }
        bail!("no timer could be started")
    }

    fn read(&self, program: BorrowedFd<'_>, lines: usize) -> Result<ReadLines> {
        let mut read_lines = ReadLines::default();
        let mut buffer = vec![0; lines * lines::LENGTH];
        loop {
            // looked at first: what is printed before it is false is found by the read below
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
            match load_insns::load(self.passing) {
                Ok(copy) => prog_run::run_fd(copy.as_fd()).map(drop)?,
                // where allocations fail
                Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
                Err(error) => return Err(error).context("cannot load a program meanwhile"),
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
            thread::sleep(LIMIT_LASTS);
        }
        Ok(())
    }

    fn is_running(&self) -> bool {
        Instant::now() < self.until && self.reading.load(Ordering::Acquire)
    }

    /// Holds what was read against what the program counted.
    fn check_counts(&self, received: &ReadLines) -> Result<()> {
        for (kind, first) in KINDS {
            let mut accepted = 0;
            for cpu in &self.cpus {
                let writer = first + cpu;
                let counts = execute(self.program, Op::GetCounts, writer)?;
                ensure!(
                    counts.tried == counts.accepted + counts.refused,
                    "writer {writer} ({kind}): a print failed for another reason than want of \
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
