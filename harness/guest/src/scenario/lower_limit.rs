// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A limit that is lowered below what is unread takes effect at once, and drops nothing.
//!
//! The program prints a text several times, and returns how many bytes fitted.

use std::os::fd::AsFd;

use anyhow::{Context, Result};
use libbpf_rs::ProgramMut;

use super::Stage;
use crate::runner;
use crate::stream::Stream;
use crate::sysctl::Limit;

/// Prints, lowers the limit, prints, reads, prints.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    let loaded = stage.load()?;
    let program = loaded.program()?;

    stage.note(format!("default limit: {} bytes fitted", print(&program)?));
    limit.set(4096)?;
    stage.note(format!("limit 4096: {} bytes fitted", print(&program)?));
    stage.note(format!("{} bytes read", drain(&program)?));
    stage.note(format!("then {} bytes fitted", print(&program)?));
    stage.note(format!("{} bytes read", drain(&program)?));
    Stream::Stderr.drain(program.as_fd(), &mut stage.seen.stderr)?;
    Ok(None)
}

fn print(program: &ProgramMut<'_>) -> Result<i64> {
    runner::run(program, 1, None)?
        .retval
        .context("the program's type returns nothing")
}

fn drain(program: &ProgramMut<'_>) -> Result<usize> {
    let mut text = Vec::new();
    Stream::Stdout.drain(program.as_fd(), &mut text)?;
    Ok(text.len())
}
