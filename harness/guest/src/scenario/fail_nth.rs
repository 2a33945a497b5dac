// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads, runs and reads the program repeatedly, with the n-th allocation failing each time.

use std::io;
use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};
use libbpf_rs::libbpf_sys;

use super::{free_memory, load_insns};
use crate::fault_injection::fail_nth;
use crate::prog_run;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// More allocations than loading, running and reading can need.
const MAX_ALLOCATIONS: u32 = 5000;

/// Text that the program prints.
const TEXT: &[u8] = b"printed\n";

/// The last step that an attempt has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Load,
    Print,
    Done,
}

/// Repeats until n is larger than the number of allocations.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let instructions = program.insns();
    // makes the allocations that the kernel makes once and keeps
    attempt(instructions)?;
    let before = free_memory::settled()?;
    let mut refused_loads = 0;
    for nth in 1..=MAX_ALLOCATIONS {
        let (step, failed) = fail_nth(nth, || attempt(instructions))?;
        let step = step.with_context(|| format!("with failing allocation {nth}"))?;
        refused_loads += u32::from(step == Step::Load);
        if !failed {
            ensure!(
                step == Step::Done,
                "{step:?} failed without an injected failure"
            );
            ensure!(refused_loads > 0, "no load failed with an injected failure");
            free_memory::wait_until_restored(before)?;
            ctx.note("every allocation failed once: what could not be done said so");
            ctx.note("memory is back where it was");
            return Ok(None);
        }
    }
    anyhow::bail!("more than {MAX_ALLOCATIONS} allocations")
}

/// Loads, runs and reads the instructions as a new program. A failure other than lack of memory is
/// an error.
fn attempt(instructions: &[libbpf_sys::bpf_insn]) -> Result<Step> {
    let program = match load_insns::load(instructions) {
        Ok(program) => program,
        Err(error) if is_out_of_memory(&error) || is_out_of_memory_on_6_12(&error) => {
            return Ok(Step::Load);
        }
        Err(error) => return Err(error).context("cannot load"),
    };
    let returned = match prog_run::run_fd(program.as_fd()) {
        Ok(returned) => returned,
        Err(error) if error.downcast_ref().is_some_and(is_out_of_memory) => {
            return Ok(Step::Print);
        }
        Err(error) => return Err(error),
    };
    let mut buffer = [0; 64];
    let read = Stream::Stdout.read(program.as_fd(), &mut buffer);
    let read = match read {
        Err(error) if is_out_of_memory(&error) => {
            // a failed read consumes nothing
            Stream::Stdout.read(program.as_fd(), &mut buffer)
        }
        read => read,
    };
    let text = &buffer[..read.map_err(|error| Stream::Stdout.read_error(&error))?];
    open_and_close(&program)?;
    match returned {
        0 if text == TEXT => Ok(Step::Done),
        code if code == -i64::from(libc::ENOMEM) && text.is_empty() => Ok(Step::Print),
        _ => anyhow::bail!(
            "the print returned {returned}, and {:?} was read",
            String::from_utf8_lossy(text)
        ),
    }
}

/// Opens a stream of the program. Where this fails once, it succeeds the second time, and nothing is
/// left of the first: the next load and the memory at the end show it.
fn open_and_close(program: &impl AsFd) -> Result<()> {
    match StreamFd::open(program.as_fd(), Stream::Stderr) {
        Err(error) if error.downcast_ref().is_some_and(is_out_of_memory) => {
            StreamFd::open(program.as_fd(), Stream::Stderr).map(drop)
        }
        opened => opened.map(drop),
    }
}

/// Whether 6.12 reports a lack of memory during a load with another errno. The same instructions
/// also load without a failure, so these errnos cannot hide another cause.
fn is_out_of_memory_on_6_12(error: &io::Error) -> bool {
    /// Defined in a kernel-internal header only.
    const ENOTSUPP: i32 = 524;
    match error.raw_os_error() {
        // for the program itself, in bpf_prog_load()
        Some(libc::EINVAL) => true,
        // for its machine code: bpf_prog_select_runtime() does not pass on the JIT's error
        Some(ENOTSUPP) => true,
        _ => false,
    }
}

fn is_out_of_memory(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOMEM)
}
