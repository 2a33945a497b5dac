// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A program of the benchmark: runs it several times and notes the least that it cost. In a guest
//! whose clock counts instructions (`make bench`) an interrupt, and a page that has to be made first,
//! only add to it, so that the least is what the operation costs by itself, in every run.
//!
//! A note is a figure: thousandths, of what, and, where there are several, at what. The host reads
//! them (`host/src/bench/figure.rs`).

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use libbpf_rs::ProgramMut;

use crate::prog_run;
use crate::stream::Stream;
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;

/// Rounds of which the least counts.
const ROUNDS: usize = 31;

/// What is read in all by a test that takes the cost of reading.
const MEBIBYTE: usize = 1 << 20;

/// The program takes the cost itself and returns it.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let mut buffer = vec![0; 64 << 10];
    note_least(ctx, || {
        let cost = run_nonnegative(&program)?;
        for stream in Stream::ALL {
            read_all(stream, program.as_fd(), &mut buffer)?;
        }
        Ok(cost)
    })
}

/// The program prints, and reading that in pieces of so many bytes is what is measured.
pub fn run_reads(ctx: &mut TestCtx<'_>, piece: usize) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let mut buffer = vec![0; piece];
    note_least(ctx, || {
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

/// What has piled up before it is read, from one read's worth to as much as the limit may be.
const BACKLOGS: [usize; 6] = [1, 16, 64, 1 << 10, 16 << 10, 64 << 10];

/// The program prints 10 lines of 100 bytes. What is measured is a kibibyte of reading a backlog of
/// such lines, which must not depend on how much there is.
pub fn run_backlog(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    // a mainline that has no limit to set refuses what is too much for it
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
        let cost = least(costs)?;
        ctx.note(format!("{cost} instructions a KiB @ {kibibytes} KiB"));
    }
    Ok(None)
}

/// A clock's interrupt is much beside a short read, so short ones are repeated; long ones pile up for
/// seconds.
fn rounds(kibibytes: usize) -> usize {
    match kibibytes {
        0..=64 => ROUNDS,
        65..=1024 => 5,
        _ => 1,
    }
}

/// What a kibibyte of reading costs of so many bytes; nothing where the stream does not take them.
fn read_backlog(program: &ProgramMut<'_>, size: usize) -> Result<Option<i64>> {
    /// What the program prints.
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
        "{bytes} bytes were read of {size}"
    );
    Ok(Some(i64::try_from(nanos * 1000 * 1024 / bytes as u128)?))
}

/// Notes the least of the rounds. The first does not count: it finds nothing prepared.
fn note_least(
    ctx: &mut TestCtx<'_>,
    mut round: impl FnMut() -> Result<i64>,
) -> Result<Option<i64>> {
    round()?;
    let costs = (0..ROUNDS).map(|_| round()).collect::<Result<Vec<i64>>>()?;
    ctx.note(format!("{} instructions", least(costs)?));
    Ok(None)
}

fn least(costs: Vec<i64>) -> Result<i64> {
    costs.into_iter().min().context("there was no round")
}

fn run_nonnegative(program: &ProgramMut<'_>) -> Result<i64> {
    let cost = prog_run::run(program, 1, None)?
        .retval
        .context("the program's type returns nothing")?;
    ensure!(
        cost >= 0,
        "the program returned {cost}: an operation did not do what is to be measured"
    );
    Ok(cost)
}

/// Reads until there is nothing left, and keeps none of it.
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
