// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Programs that print the number of lines in their context (`struct wanted`, `selftests/wanted.h`).

use std::os::fd::{BorrowedFd, OwnedFd};

use anyhow::{Context, Result, ensure};

use super::load_insns;
use crate::load::Loaded;
use crate::prog_run;
use crate::stream::Stream;

/// The program's `struct wanted`: what to print.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Wanted {
    stdout_lines: u32,
    stderr_lines: u32,
    empty_prints: u32,
}

/// Bytes of a line.
pub const LINE: usize = 5;

/// Makes the program print this many lines to the stream.
pub fn print(program: BorrowedFd<'_>, stream: Stream, lines: u32) -> Result<()> {
    let mut wanted = Wanted::default();
    match stream {
        Stream::Stdout => wanted.stdout_lines = lines,
        Stream::Stderr => wanted.stderr_lines = lines,
    }
    run(program, wanted)
}

/// As [`print`], for as many lines as the stream has room for.
pub fn print_refused(program: BorrowedFd<'_>, stream: Stream, lines: u32) -> Result<()> {
    let mut wanted = Wanted::default();
    match stream {
        Stream::Stdout => wanted.stdout_lines = lines,
        Stream::Stderr => wanted.stderr_lines = lines,
    }
    let returned = prog_run::run_fd_with(program, &mut wanted)?;
    let expected = i64::from(-libc::ENOSPC);
    ensure!(
        returned == expected,
        "the program returned {returned}, expected -ENOSPC"
    );
    Ok(())
}

/// Makes the program print empty texts to both streams.
pub fn print_empty(program: BorrowedFd<'_>, times: u32) -> Result<()> {
    run(
        program,
        Wanted {
            empty_prints: times,
            ..Wanted::default()
        },
    )
}

fn run(program: BorrowedFd<'_>, mut wanted: Wanted) -> Result<()> {
    let returned = prog_run::run_fd_with(program, &mut wanted)?;
    ensure!(returned == 0, "the program returned {returned}");
    Ok(())
}

/// The test's program, loaded once more: closing the only fd of the copy frees it.
pub fn copy(loaded: &Loaded) -> Result<OwnedFd> {
    load_insns::load(loaded.program()?.insns()).context("cannot load the program again")
}
