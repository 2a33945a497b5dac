// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Only loads the program: for types that the agent cannot run.

use anyhow::Result;

use crate::test_ctx::TestCtx;

/// Loads the program and notes it.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    ctx.load()?;
    ctx.note("loaded");
    Ok(None)
}
