// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the case plainly and checks its lines; how many there are depends on the clock.

use anyhow::Result;

use super::{Stage, lines, plain};

/// Puts a note in the place of what stdout gave.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let retval = plain::play(stage)?;
    let text = std::mem::take(&mut stage.seen.stdout);
    lines::check(&[text])?;
    stage.note("lines of each writer, once, whole and in order");
    Ok(retval)
}
