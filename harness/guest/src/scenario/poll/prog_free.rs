// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The program is freed while its wake-up is pending.

use std::os::fd::AsFd;

use anyhow::{Context, Result};

use super::{print, waiter};
use crate::poll;
use crate::scenario::load_insns;
use crate::test_ctx::TestCtx;

const ROUNDS: usize = 50;

/// Prints while a waiter waits, and closes the program at once, repeatedly.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    for _ in 0..ROUNDS {
        let copy = load_insns::load(program.insns()).context("cannot load the program again")?;
        let waiter = waiter(copy.as_fd(), poll::STDOUT | poll::STDERR)?;
        print(copy.as_fd(), 1, 1)?;
        drop(copy);
        drop(waiter);
    }
    ctx.note(format!(
        "{ROUNDS} programs closed right after a print that somebody waited for"
    ));
    Ok(None)
}
