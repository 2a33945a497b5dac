// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs a benchmark program several times and notes the minimum cost.
//!
//! In a guest whose clock counts instructions (`make bench`), interrupts and page faults only add
//! to the cost, so that the minimum is the cost of the operation itself, the same in every run.
//!
//! A note is a figure: a value in thousandths, its unit, and a parameter where there are several.
//! The host parses the notes (`host/src/report/bench/figure.rs`).

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use libbpf_rs::ProgramMut;

use crate::prog_run;
use crate::stream::Stream;
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;

/// Number of rounds.
const ROUNDS: usize = 31;

/// Bytes to read in a test that measures reading.
const MEBIBYTE: usize = 1 << 20;

/// The program measures the cost itself and returns it.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let mut buffer = vec![0; 64 << 10];
    note_minimum(ctx, || {
        let cost = run_nonnegative(&program)?;
        for stream in Stream::ALL {
            read_all(stream, program.as_fd(), &mut buffer)?;
        }
        Ok(cost)
    })
}

/// Measures reading what the program prints, with a buffer of `piece` bytes.
pub fn run_reads(ctx: &mut TestCtx<'_>, piece: usize) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let mut buffer = vec![0; piece];
    note_minimum(ctx, || {
        let (mut bytes, mut nanos) = (0, 0);
        while bytes < MEBIBYTE {
            run_nonnegative(&program)?;
            let begun = Instant::now();
            let count = read_all(Stream::Stdout, program.as_fd(), &mut buffer)?;
            nanos += begun.elapsed().as_nanos();
            ensure!(count > 0, "the program printed nothing to read");
            bytes += count;
        }
        let thousandths = nanos * 1000 * MEBIBYTE as u128 / bytes as u128;
        Ok(i64::try_from(thousandths)?)
    })
}

/// Sizes of the unread text in KiB, from one read to the maximum of the limit.
const BACKLOGS: [usize; 6] = [1, 16, 64, 1 << 10, 16 << 10, 64 << 10];

/// The program prints 10 lines of 100 bytes. Measures reading one KiB of a backlog of such lines,
/// whose cost must not depend on the size of the backlog.
pub fn run_backlog(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    // a mainline without the sysctl refuses text beyond its fixed limit
    let limit = Limit::keep().ok();
    if let Some(limit) = &limit {
        limit.set(64 << 20)?;
    }
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    for kibibytes in BACKLOGS {
        let mut costs = Vec::new();
        for _ in 0..rounds(kibibytes) {
            let Some(cost) = read_backlog(&program, kibibytes << 10)? else {
                return Ok(None);
            };
            costs.push(cost);
        }
        let cost = minimum(costs)?;
        ctx.note(format!("{cost} instructions a KiB @ {kibibytes} KiB"));
    }
    Ok(None)
}

/// A timer interrupt is expensive compared with a short read, so short reads are repeated; printing
/// a large backlog takes seconds.
fn rounds(kibibytes: usize) -> usize {
    match kibibytes {
        0..=64 => ROUNDS,
        65..=1024 => 5,
        _ => 1,
    }
}

/// Cost of reading one KiB of a backlog of `size` bytes; `None` if the stream refuses so much.
fn read_backlog(program: &ProgramMut<'_>, size: usize) -> Result<Option<i64>> {
    /// Bytes that one run of the program prints.
    const PRINTED: usize = 1000;
    let mut buffer = vec![0; 64 << 10];
    let mut refused = false;
    for _ in 0..size / PRINTED {
        if refused {
            break;
        }
        refused = prog_run::run_fd(program.as_fd())? < 0;
    }
    let begun = Instant::now();
    let bytes = read_all(Stream::Stdout, program.as_fd(), &mut buffer)?;
    let nanos = begun.elapsed().as_nanos();
    if refused {
        return Ok(None);
    }
    ensure!(
        bytes == size / PRINTED * PRINTED,
        "{bytes} of {size} bytes were read"
    );
    Ok(Some(i64::try_from(nanos * 1000 * 1024 / bytes as u128)?))
}

/// Notes the minimum of all rounds but the first, which warms up caches.
fn note_minimum(
    ctx: &mut TestCtx<'_>,
    mut round: impl FnMut() -> Result<i64>,
) -> Result<Option<i64>> {
    round()?;
    let costs = (0..ROUNDS).map(|_| round()).collect::<Result<Vec<i64>>>()?;
    ctx.note(format!("{} instructions", minimum(costs)?));
    Ok(None)
}

fn minimum(costs: Vec<i64>) -> Result<i64> {
    costs.into_iter().min().context("no round was run")
}

fn run_nonnegative(program: &ProgramMut<'_>) -> Result<i64> {
    let cost = prog_run::run(program, 1, None)?
        .retval
        .context("the program has no return value")?;
    ensure!(
        cost >= 0,
        "the program returned {cost}: a measured operation failed"
    );
    Ok(cost)
}

/// Reads until the stream is empty, and discards the text.
fn read_all(stream: Stream, program: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    let mut all = 0;
    loop {
        match stream.read(program, buffer) {
            Ok(0) => return Ok(all),
            Ok(count) => all += count,
            Err(error) => return Err(stream.read_error(&error)),
        }
    }
}
