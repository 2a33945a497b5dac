// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads, runs and reads the program again and again, each time with another allocation failing.

use std::io;
use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};
use libbpf_rs::libbpf_sys;

use super::{free_memory, load_insns};
use crate::fault_injection::fail_nth;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// More allocations than there can be on the way.
const MOST: u32 = 5000;

/// What the program prints.
const TEXT: &[u8] = b"printed\n";

/// How far one attempt got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Load,
    Print,
    Done,
}

/// Attempts until there is no allocation left that could fail.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let instructions = program.insns();
    // what is allocated once and kept is there before it is measured
    attempt(instructions)?;
    let before = free_memory::settled()?;
    let mut refused_loads = 0;
    for nth in 1..=MOST {
        let (step, failed) = fail_nth(nth, || attempt(instructions))?;
        let step = step.with_context(|| format!("allocation {nth} failed"))?;
        refused_loads += u32::from(step == Step::Load);
        if !failed {
            ensure!(step == Step::Done, "nothing failed, but {step:?} did");
            ensure!(refused_loads > 0, "no allocation of a load failed");
            free_memory::wait_until_restored(before)?;
            ctx.note("every allocation failed once: what could not be done said so");
            ctx.note("memory is back where it was");
            return Ok(None);
        }
    }
    anyhow::bail!("there are more than {MOST} allocations on the way")
}

/// Loads, runs and reads the instructions as a program of their own. A failure is an error, unless
/// it is one for want of memory.
fn attempt(instructions: &[libbpf_sys::bpf_insn]) -> Result<Step> {
    let program = match load_insns::load(instructions) {
        Ok(program) => program,
        Err(error) if is_want_of_memory(&error) || is_odd_refusal(&error) => {
            return Ok(Step::Load);
        }
        Err(error) => return Err(error).context("cannot load"),
    };
    let returned = match prog_run::run_fd(program.as_fd()) {
        Ok(returned) => returned,
        Err(error) if error.downcast_ref().is_some_and(is_want_of_memory) => {
            return Ok(Step::Print);
        }
        Err(error) => return Err(error),
    };
    let mut buffer = [0; 64];
    let read = Stream::Stdout.read(program.as_fd(), &mut buffer);
    let read = match read {
        Err(error) if is_want_of_memory(&error) => {
            // nothing is lost by a read that failed
            Stream::Stdout.read(program.as_fd(), &mut buffer)
        }
        read => read,
    };
    let text = &buffer[..read.map_err(|error| Stream::Stdout.read_error(&error))?];
    match returned {
        0 if text == TEXT => Ok(Step::Done),
        code if code == -i64::from(libc::ENOMEM) && text.is_empty() => Ok(Step::Print),
        _ => anyhow::bail!(
            "the print returned {returned}, and {:?} was read",
            String::from_utf8_lossy(text)
        ),
    }
}

/// Whether 6.12 says otherwise that there was no memory for a load. As the same instructions are
/// loaded without a failure, too, nothing else hides behind these.
fn is_odd_refusal(error: &io::Error) -> bool {
    /// In the kernel's own header only.
    const ENOTSUPP: i32 = 524;
    match error.raw_os_error() {
        // for the program itself, in bpf_prog_load()
        Some(libc::EINVAL) => true,
        // for its machine code, in bpf_prog_select_runtime(): the JIT keeps its reason to itself
        Some(ENOTSUPP) => true,
        _ => false,
    }
}

fn is_want_of_memory(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOMEM)
}
