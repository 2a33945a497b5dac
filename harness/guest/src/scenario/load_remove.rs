// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads, runs and frees the program some hundred times without reading its text: memory use must
//! be the same after the first 50 and after the last.
//!
//! libbpf would spend most of the time on the object and its maps, so it loads once, and the
//! relocated instructions are loaded again without libbpf.

use std::os::fd::AsFd;

use anyhow::{Context, Result};
use libbpf_rs::libbpf_sys;

use super::{free_memory, load_insns, threads};
use crate::prog_run;
use crate::settings;
use crate::test_ctx::TestCtx;

const WARM_UP: usize = 50;
/// Rounds after the warm-up, for each second of a stress test.
const PER_SECOND: usize = 400;
/// As few as show a leak of a page per program: 640 KiB, and 512 KiB are allowed.
const LEAST: usize = 160;
const MOST: usize = 900;

/// Two: this also tests parallel loads, and halves the time.
const THREADS: usize = 2;

/// Loads, runs and frees; compares memory use.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let instructions = program.insns();
    rounds(instructions, WARM_UP)?;
    let before = free_memory::settled()?;
    rounds(instructions, settings::rounds(PER_SECOND, LEAST..=MOST))?;
    free_memory::wait_until_restored(before)?;
    ctx.note("programs loaded, run and removed: memory is back where it was");
    Ok(None)
}

/// Runs the rounds, split between two threads.
fn rounds(instructions: &[libbpf_sys::bpf_insn], times: usize) -> Result<()> {
    let some = || {
        for round in 0..times / THREADS {
            let copy = load_insns::load(instructions)
                .with_context(|| format!("cannot load the instructions in round {round}"))?;
            prog_run::run_fd(copy.as_fd())?;
        }
        Ok(())
    };
    threads::run_parallel(vec![some; THREADS]).map(drop)
}
