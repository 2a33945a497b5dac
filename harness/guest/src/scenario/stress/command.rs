// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Commands for the program of `selftests/stress.bpf.c`.

use std::os::fd::BorrowedFd;

use anyhow::{Result, ensure};

use crate::prog_run;

/// What the program does.
#[derive(Clone, Copy)]
pub enum Op {
    /// Print lines as this writer.
    Print = 0,
    /// Start the timer of the CPU that runs the program.
    StartTimer = 1,
    /// Stop all timers.
    StopTimers = 2,
    /// Return this writer's counts.
    GetCounts = 3,
}

/// The program's `struct order`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct StressCommand {
    what: u32,
    writer: u32,
    /// Prints tried.
    pub tried: u32,
    /// Prints accepted.
    pub accepted: u32,
    /// Prints refused for lack of room or memory.
    pub refused: u32,
}

/// Runs the program with a command; returns the command as changed by the program.
pub fn execute(program: BorrowedFd<'_>, what: Op, writer: u32) -> Result<StressCommand> {
    let mut command = StressCommand {
        what: what as u32,
        writer,
        ..StressCommand::default()
    };
    let returned = run(program, &mut command)?;
    ensure!(
        returned == 0,
        "the program returned {returned} to command {} of writer {writer}",
        command.what
    );
    Ok(command)
}

/// Runs the program with a command that may fail; returns its return value.
pub fn try_execute(program: BorrowedFd<'_>, what: Op) -> Result<i32> {
    let mut command = StressCommand {
        what: what as u32,
        ..StressCommand::default()
    };
    run(program, &mut command)
}

fn run(program: BorrowedFd<'_>, command: &mut StressCommand) -> Result<i32> {
    Ok(i32::try_from(prog_run::run_fd_with(program, command)?)?)
}
