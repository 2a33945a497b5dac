// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads the program: for types that the agent cannot run.

use anyhow::Result;

use super::Stage;

/// Loads it and notes that it did.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    stage.load()?;
    stage.note("loaded");
    Ok(None)
}
