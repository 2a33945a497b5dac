// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Plays the case plainly, and notes what the streams of the programs that it names hold.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};

use super::Stage;
use crate::runner;
use crate::stream::Stream;

/// Runs the program, detaches the others, and reads the streams of all.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let mut loaded = stage.load()?;
    let run = runner::run(
        &loaded.program()?,
        stage.wishes.run,
        stage.wishes.trigger.as_deref(),
    )?;
    drop(run.link);
    loaded.detach_others();
    let program = loaded.program()?;
    Stream::Stdout.drain(program.as_fd(), &mut stage.seen.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut stage.seen.stderr)?;
    for name in &stage.wishes.with {
        note_streams(stage, name, loaded.other(name)?.as_fd())?;
    }
    Ok(run.retval)
}

/// Notes all that the streams of the program hold, which must be whole reports.
pub fn note_streams(stage: &mut Stage<'_>, name: &str, program: BorrowedFd<'_>) -> Result<()> {
    for stream in Stream::ALL {
        let mut text = Vec::new();
        stream.drain(program, &mut text)?;
        reports::parse(&text).with_context(|| format!("{stream} of {name}"))?;
        if text.is_empty() {
            stage.note(format!("{stream} of {name}: empty"));
            continue;
        }
        stage.note(format!("{stream} of {name}:"));
        for line in String::from_utf8_lossy(&text).lines() {
            stage.note(line);
        }
    }
    Ok(())
}
