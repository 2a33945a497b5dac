// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Plays the case plainly, with room for 4096 bytes of unread text a stream.

use anyhow::Result;

use super::{Stage, plain};
use crate::sysctl::Limit;

/// Sets the limit, plays the case, and puts the limit back.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(4096)?;
    plain::play(stage)
}
