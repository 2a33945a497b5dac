// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Op the program of `selftests/stress.bpf.c` is told to do when it is run.

use std::os::fd::BorrowedFd;

use anyhow::{Result, ensure};

use crate::prog_run;

/// Op the program is to do.
#[derive(Clone, Copy)]
pub enum Op {
    /// Print some lines as this writer.
    Print = 0,
    /// Start the timer of the CPU that this thread runs on.
    StartTimer = 1,
    /// Stop all timers.
    StopTimers = 2,
    /// GetCounts this writer's counts.
    GetCounts = 3,
}

/// The program's `struct command`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Command {
    what: u32,
    writer: u32,
    /// Prints that were tried.
    pub tried: u32,
    /// Those that were accepted.
    pub accepted: u32,
    /// Those that were refused for want of room or memory.
    pub refused: u32,
}

/// Runs the program with an command and gives the command back, as the program left it.
pub fn execute(program: BorrowedFd<'_>, what: Op, writer: u32) -> Result<Command> {
    let mut command = Command {
        what: what as u32,
        writer,
        ..Command::default()
    };
    let returned = run(program, &mut command)?;
    ensure!(
        returned == 0,
        "the program returned {returned} to command {} of writer {writer}",
        command.what
    );
    Ok(command)
}

/// Runs the program with an command that it may fail to carry out; gives what it returned.
pub fn try_execute(program: BorrowedFd<'_>, what: Op) -> Result<i32> {
    let mut command = Command {
        what: what as u32,
        ..Command::default()
    };
    run(program, &mut command)
}

fn run(program: BorrowedFd<'_>, command: &mut Command) -> Result<i32> {
    Ok(i32::try_from(prog_run::run_fd_with(program, command)?)?)
}
