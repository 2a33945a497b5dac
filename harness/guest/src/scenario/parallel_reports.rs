// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Four threads run the program at the same time, on all CPUs; then stderr is read, and its reports
//! are counted. Each must be whole, however they were made at once.

use std::os::fd::AsFd;

use anyhow::Result;

use super::{Stage, tally_reports, threads};
use crate::runner;
use crate::stream::Stream;

const THREADS: usize = 4;

/// Runs with several threads, reads with one.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let loaded = stage.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let retvals = threads::at_once(vec![|| runner::run_fd(fd); THREADS])?;
    stage.note(format!("the program returned {retvals:?}"));
    let (mut text, mut own) = (Vec::new(), Vec::new());
    Stream::Stderr.drain(fd, &mut text)?;
    let notes = tally_reports::tally(&text, &mut own)?;
    stage.seen.notes.extend(notes);
    let lines = own.split_inclusive(|byte| *byte == b'\n').count();
    stage.note(format!("{lines} lines of the program's own"));
    Ok(None)
}
