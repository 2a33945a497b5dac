// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Throughput of CPUs that print at the same time, and the memory that a record takes. The notes
//! are figures, as in `bench.rs`.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{free_memory, threads};
use crate::cpus;
use crate::load::Loaded;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Numbers of CPUs that print at the same time.
const WRITERS: [usize; 4] = [1, 2, 4, 8];

/// Duration of a measurement.
const TIME: Duration = Duration::from_millis(500);

/// Lines that one run of the program prints.
const LINES: i64 = 100;

/// Programs whose text is kept at the same time. Their records take much more memory than the rest
/// of the guest allocates or frees during the test.
const COPIES: usize = 30;

/// All CPUs print to one stream.
pub fn run_one_stream(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    for writers in WRITERS {
        let program = loaded.program()?;
        print(ctx, &vec![program.as_fd(); writers])?;
    }
    Ok(None)
}

/// Each CPU prints to a stream of its own.
pub fn run_own_streams(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let most = WRITERS.iter().copied().max().unwrap_or(1);
    let loaded = copies(ctx, most)?;
    let programs = loaded
        .iter()
        .map(Loaded::program)
        .collect::<Result<Vec<_>>>()?;
    let fds: Vec<BorrowedFd<'_>> = programs.iter().map(|program| program.as_fd()).collect();
    for writers in WRITERS {
        print(ctx, &fds[..writers])?;
    }
    Ok(None)
}

/// Prints many records, and divides the memory that they take by their number.
pub fn run_memory(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = copies(ctx, COPIES)?;
    let before = free_memory::settled()?;
    let mut records = 0;
    for copy in &loaded {
        let printed = prog_run::run_fd(copy.program()?.as_fd())?;
        ensure!(printed > 0, "a print was refused");
        records += printed;
    }
    let used = before - free_memory::now()?;
    let bytes = used.max(0) * 1024 * 1000 / records;
    ctx.note(format!("{bytes} bytes of memory a record"));
    Ok(None)
}

fn copies(ctx: &TestCtx<'_>, count: usize) -> Result<Vec<Loaded>> {
    (0..count).map(|_| ctx.load()).collect()
}

/// Prints on one CPU per program, and notes the throughput.
fn print(ctx: &mut TestCtx<'_>, programs: &[BorrowedFd<'_>]) -> Result<()> {
    let online = cpus::online()?;
    let writers = programs.len();
    ensure!(
        online.len() >= writers,
        "{} CPUs are online, {writers} are needed",
        online.len()
    );
    let tasks = online
        .iter()
        .zip(programs)
        .map(|(&cpu, &program)| (cpu, move || print_on_one(program)))
        .collect();
    let done = threads::run_on_cpus(tasks)?;
    let printed: f64 = done.iter().map(|writer| writer.a_second).sum();
    let refused: i64 = done.iter().map(|writer| writer.refused).sum();
    let tried: i64 = done.iter().map(|writer| writer.tried).sum();
    ensure!(tried > 0, "nothing was printed");
    let printed = (printed * 1000.0) as u64;
    ctx.note(format!("{printed} prints a second @ {writers} CPUs"));
    let refused = refused * 1_000_000 / tried;
    ctx.note(format!("{refused} refused of 1000 @ {writers} CPUs"));
    Ok(())
}

/// Result of one CPU.
struct Writer {
    a_second: f64,
    tried: i64,
    refused: i64,
}

fn print_on_one(program: BorrowedFd<'_>) -> Result<Writer> {
    let mut buffer = vec![0; 64 << 10];
    let (mut tried, mut refused) = (0, 0);
    let begun = Instant::now();
    while begun.elapsed() < TIME {
        let run = prog_run::run_fd(program).context("cannot print")?;
        ensure!((0..=LINES).contains(&run), "the program returned {run}");
        tried += LINES;
        refused += run;
        Stream::Stdout
            .read(program, &mut buffer)
            .map_err(|error| Stream::Stdout.read_error(&error))?;
    }
    Ok(Writer {
        a_second: (tried - refused) as f64 / begun.elapsed().as_secs_f64(),
        tried,
        refused,
    })
}
