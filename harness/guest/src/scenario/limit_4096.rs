// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! As the plain scenario, with a limit of 4096 bytes of unread text per stream.

use anyhow::Result;

use super::plain;
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;

/// Sets the limit, runs the test, and restores the limit.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(4096)?;
    plain::run(ctx)
}
