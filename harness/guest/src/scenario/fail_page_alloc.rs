// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the program while all atomic allocations fail, and again while they succeed.
//!
//! The program returns the number of accepted lines.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Result, ensure};

use super::lines;
use crate::fault_injection::FailAtomic;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

const ALL_PERCENT: u32 = 100;

/// At least this many of the program's 20000 lines are accepted when there is memory. A print that
/// needs a missing page is refused and requests the page; how many prints that affects depends on
/// the CPU and on timing.
const MIN_ACCEPTED: i64 = 19_000;

/// Runs and reads without memory, then with memory.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let without = {
        let _injection = FailAtomic::start(ALL_PERCENT)?;
        round(program.as_fd())?
    };
    let with = round(program.as_fd())?;
    ensure!(
        0 < without && without < MIN_ACCEPTED && MIN_ACCEPTED <= with,
        "{without} lines were accepted without memory, {with} with it"
    );
    ctx.note("without memory: some prints accepted, then refused; what was accepted was read");
    ctx.note("with memory: prints accepted again; what was accepted was read");
    Ok(None)
}

/// Runs and reads. Returns the number of lines, which must be in order and as many as the program
/// counted.
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
