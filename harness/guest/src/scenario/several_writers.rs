// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Four threads run the program at the same time; then the text is read and checked.

use std::os::fd::AsFd;

use anyhow::Result;

use super::{Stage, lines, threads};
use crate::runner;
use crate::stream::Stream;

const WRITERS: usize = 4;

/// Writes with several threads, reads with one.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let loaded = stage.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let retvals = threads::at_once(vec![|| runner::run_fd(fd); WRITERS])?;
    stage.note(format!("the program returned {retvals:?}"));
    let mut text = Vec::new();
    Stream::Stdout.drain(fd, &mut text)?;
    stage.note(lines::describe(&lines::check(&[text])?));
    Ok(None)
}
