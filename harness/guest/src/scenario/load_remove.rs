// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads, runs and removes the program a thousand times without reading what it printed: the memory
//! in use after the first hundred is that after the last. (One page lost a program would be 4 MiB.)
//!
//! libbpf would spend most of the time on the object and its maps, so it loads once, and the
//! instructions that it has relocated are loaded again by themselves.

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use libbpf_rs::libbpf_sys;

use super::{Stage, memory, threads};
use crate::runner;

const WARM_UP: usize = 100;
const TIMES: usize = 1000;

/// Two, as programs are also loaded side by side, and as it halves the time.
const THREADS: usize = 2;

/// Loads, runs, removes; compares.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let loaded = stage.load()?;
    let program = loaded.program()?;
    let instructions = program.insns();
    rounds(instructions, WARM_UP)?;
    let before = memory::settled()?;
    rounds(instructions, TIMES - WARM_UP)?;
    memory::wait_until_back(before)?;
    stage.note(format!(
        "{TIMES} programs loaded, run and removed: memory is back where it was"
    ));
    Ok(None)
}

/// Does this many rounds, in two threads.
fn rounds(instructions: &[libbpf_sys::bpf_insn], times: usize) -> Result<()> {
    let some = || {
        for round in 0..times / THREADS {
            let copy = load_copy(instructions).with_context(|| format!("round {round}"))?;
            runner::run_fd(copy.as_fd())?;
        }
        Ok(())
    };
    threads::at_once(vec![some; THREADS]).map(drop)
}

/// Loads the instructions as a program of their own.
fn load_copy(instructions: &[libbpf_sys::bpf_insn]) -> Result<OwnedFd> {
    let mut options = libbpf_sys::bpf_prog_load_opts {
        sz: size_of::<libbpf_sys::bpf_prog_load_opts>() as libbpf_sys::size_t,
        // a syscall program must say that it may sleep
        prog_flags: libbpf_sys::BPF_F_SLEEPABLE,
        ..Default::default()
    };
    // SAFETY: every pointer is valid for the call, and the count is that of the instructions.
    let fd = unsafe {
        libbpf_sys::bpf_prog_load(
            libbpf_sys::BPF_PROG_TYPE_SYSCALL,
            c"load_remove".as_ptr(),
            c"GPL".as_ptr(),
            instructions.as_ptr(),
            instructions.len() as libbpf_sys::size_t,
            &raw mut options,
        )
    };
    if fd < 0 {
        let error = io::Error::from_raw_os_error(-fd);
        return Err(error).context("cannot load the program's instructions once more");
    }
    // SAFETY: a new fd that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
