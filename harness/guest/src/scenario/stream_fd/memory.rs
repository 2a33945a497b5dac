// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Nothing is left of programs and descriptors that are closed in any order, with text unread:
//! memory use must be the same after the first rounds and after the last.

use std::os::fd::AsFd;

use anyhow::{Context, Result};

use crate::scenario::{free_memory, threads, wanted};
use crate::settings;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;
use crate::{load::Loaded, scenario::load_insns};

const WARM_UP: usize = 50;
/// Rounds after the warm-up, for each second of a stress test.
const PER_SECOND: usize = 400;
/// As few as show a leak of a page per program: 640 KiB, and 512 KiB are allowed.
const LEAST: usize = 160;
const MOST: usize = 900;

/// Lines that each program prints to each stream: more than a page, so that a leak of a page for
/// each program exceeds what is allowed.
const LINES: u32 = 1000;

/// Opens, prints, frees; compares memory use.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    rounds(&loaded, WARM_UP)?;
    let before = free_memory::settled()?;
    rounds(&loaded, settings::rounds(PER_SECOND, LEAST..=MOST))?;
    free_memory::wait_until_restored(before)?;
    ctx.note("programs and descriptors closed in any order: memory is back where it was");
    Ok(None)
}

/// Runs the rounds, split between two threads.
fn rounds(loaded: &Loaded, times: usize) -> Result<()> {
    const THREADS: usize = 2;
    let instructions = loaded.program()?.insns();
    let some = || {
        for round in 0..times / THREADS {
            let program = load_insns::load(instructions)
                .with_context(|| format!("cannot load the program in round {round}"))?;
            let stdout = StreamFd::open(program.as_fd(), Stream::Stdout)?;
            let stderr = StreamFd::open(program.as_fd(), Stream::Stderr)?;
            for stream in Stream::ALL {
                wanted::print(program.as_fd(), stream, LINES)?;
            }
            match round % 3 {
                0 => drop((stdout, stderr, program)),
                1 => drop((program, stdout, stderr)),
                _ => {
                    drop((stderr, program));
                    stdout.read(&mut [0; 100]).context("cannot read stdout")?;
                }
            }
        }
        Ok(())
    };
    threads::run_parallel(vec![some; THREADS]).map(drop)
}
