// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the program where no allocation that may not wait succeeds, and again where all do.
//!
//! The program returns how many of its lines were accepted.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Result, ensure};

use super::lines;
use crate::fault_injection::FailAtomic;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

const ALL: u32 = 100;

/// Of the 20000 lines that the program prints, this many are accepted when there is memory. A print
/// that finds a page missing is refused and asks for it; how many that meets is a matter of the CPU
/// that it comes to, and of time.
const MOST: i64 = 19_000;

/// Runs it without memory, reads, runs it with memory, reads.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let without = {
        let _injection = FailAtomic::start(ALL)?;
        round(program.as_fd())?
    };
    let with = round(program.as_fd())?;
    ensure!(
        0 < without && without < MOST && MOST <= with,
        "{without} lines were accepted without memory, {with} with it"
    );
    ctx.note("without memory: some prints accepted, then refused; what was accepted was read");
    ctx.note("with memory: prints accepted again; what was accepted was read");
    Ok(None)
}

/// Runs it, reads, and gives how many lines there were: all that the program counted, in order.
fn round(program: BorrowedFd<'_>) -> Result<i64> {
    let accepted = prog_run::run_fd(program)?;
    let mut text = Vec::new();
    Stream::Stdout.drain(program, &mut text)?;
    let read: usize = lines::check(&[text])?.iter().sum();
    ensure!(
        i64::try_from(read)? == accepted,
        "{accepted} lines were accepted, {read} were read"
    );
    Ok(accepted)
}
