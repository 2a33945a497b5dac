// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Who comes after the print finds the event at once.

use std::os::fd::AsFd;

use anyhow::Result;

use super::{at_once, print, waiter};
use crate::poll;
use crate::scenario::Stage;
use crate::stream::Stream;

/// Prints, and begins to wait then.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let loaded = stage.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    print(fd, 1, 1)?;
    for (how, flag) in [("level", 0), ("edge", poll::EDGE)] {
        let late = waiter(fd, poll::STDOUT | poll::STDERR | flag)?;
        stage.note(format!("{how}-triggered: {}", at_once(&late)?));
    }
    Stream::Stdout.drain(fd, &mut stage.seen.stdout)?;
    Stream::Stderr.drain(fd, &mut stage.seen.stderr)?;
    Ok(None)
}
