// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What the program of `selftests/stress.bpf.c` is told to do when it is run.

use std::os::fd::BorrowedFd;

use anyhow::{Result, ensure};

use crate::prog_run;

/// What the program is to do.
#[derive(Clone, Copy)]
pub enum What {
    /// Print some lines as this writer.
    Print = 0,
    /// Start the timer of the CPU that this thread runs on.
    StartTimer = 1,
    /// Stop all timers.
    StopTimers = 2,
    /// Tell this writer's counts.
    Tell = 3,
}

/// The program's `struct order`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Order {
    what: u32,
    writer: u32,
    /// Prints that were tried.
    pub tried: u32,
    /// Those that were accepted.
    pub accepted: u32,
    /// Those that were refused for want of room or memory.
    pub refused: u32,
}

/// Runs the program with an order and gives the order back, as the program left it.
pub fn give(program: BorrowedFd<'_>, what: What, writer: u32) -> Result<Order> {
    let mut order = Order {
        what: what as u32,
        writer,
        ..Order::default()
    };
    let returned = run(program, &mut order)?;
    ensure!(
        returned == 0,
        "the program returned {returned} to order {} of writer {writer}",
        order.what
    );
    Ok(order)
}

/// Runs the program with an order that it may fail to carry out; gives what it returned.
pub fn returned(program: BorrowedFd<'_>, what: What) -> Result<i32> {
    let mut order = Order {
        what: what as u32,
        ..Order::default()
    };
    run(program, &mut order)
}

fn run(program: BorrowedFd<'_>, order: &mut Order) -> Result<i32> {
    Ok(i32::try_from(prog_run::run_fd_with(program, order)?)?)
}
