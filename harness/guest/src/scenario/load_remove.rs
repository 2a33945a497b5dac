// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads, runs and removes the program a thousand times without reading what it printed: the memory
//! in use after the first hundred is that after the last.
//!
//! libbpf would spend most of the time on the object and its maps, so it loads once, and the
//! instructions that it has relocated are loaded again by themselves.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use libbpf_rs::{ProgramMut, libbpf_sys};

use super::Stage;
use crate::runner;
use crate::settings;

const WARM_UP: usize = 100;
const TIMES: usize = 1000;

/// What is not a leak: one page lost a program would be 4 MiB, and lists of free pages a CPU keep
/// less than this.
const SLACK_KIB: i64 = 2048;

/// The kernel frees programs some time after the last fd is closed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Loads, runs, removes; compares.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let loaded = stage.load()?;
    let program = loaded.program()?;
    rounds(&program, WARM_UP)?;
    let before = settled()?;
    rounds(&program, TIMES - WARM_UP)?;
    wait_until_back(before)?;
    stage.note(format!(
        "{TIMES} programs loaded, run and removed: memory is back where it was"
    ));
    Ok(None)
}

fn rounds(program: &ProgramMut<'_>, times: usize) -> Result<()> {
    let name = CString::new(program.name().to_string_lossy().as_bytes())?;
    for round in 0..times {
        let copy = load_copy(program, &name).with_context(|| format!("round {round}"))?;
        runner::run_fd(copy.as_fd())?;
    }
    Ok(())
}

/// Loads the program's relocated instructions as a program of their own.
fn load_copy(program: &ProgramMut<'_>, name: &CString) -> Result<OwnedFd> {
    let instructions = program.insns();
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
            name.as_ptr(),
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

/// KiB of memory available, when that has stopped to change.
fn settled() -> Result<i64> {
    let begun = Instant::now();
    let mut last = available()?;
    while begun.elapsed() < settings::patient(PATIENCE) {
        std::thread::sleep(Duration::from_millis(20));
        let now = available()?;
        if (now - last).abs() < 64 {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

fn wait_until_back(before: i64) -> Result<()> {
    let begun = Instant::now();
    loop {
        let missing = before - available()?;
        if missing <= SLACK_KIB {
            return Ok(());
        }
        if begun.elapsed() > settings::patient(PATIENCE) {
            bail!(
                "{missing} KiB more are in use after {TIMES} programs than after {WARM_UP},                  {SLACK_KIB} KiB are allowed"
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// KiB of memory that nothing uses.
fn available() -> Result<i64> {
    const FILE: &str = "/proc/meminfo";
    let text = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("MemFree:")?.trim().strip_suffix(" kB"))
        .and_then(|count| count.trim().parse().ok())
        .with_context(|| format!("{FILE} has no line MemFree in kB"))
}
