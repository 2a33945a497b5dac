// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads, runs and removes the program a thousand times without reading what it printed: the memory
//! in use after the first hundred is that after the last. (One page lost a program would be 4 MiB.)
//!
//! libbpf would spend most of the time on the object and its maps, so it loads once, and the
//! instructions that it has relocated are loaded again by themselves.

use std::os::fd::AsFd;

use anyhow::{Context, Result};
use libbpf_rs::libbpf_sys;

use super::{free_memory, load_insns, threads};
use crate::prog_run;
use crate::test_ctx::TestCtx;

const WARM_UP: usize = 100;
const TIMES: usize = 1000;

/// Two, as programs are also loaded side by side, and as it halves the time.
const THREADS: usize = 2;

/// Loads, runs, removes; compares.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let instructions = program.insns();
    rounds(instructions, WARM_UP)?;
    let before = free_memory::settled()?;
    rounds(instructions, TIMES - WARM_UP)?;
    free_memory::wait_until_restored(before)?;
    ctx.note(format!(
        "{TIMES} programs loaded, run and removed: memory is back where it was"
    ));
    Ok(None)
}

/// Does this many rounds, in two threads.
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
