// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Plays the test plainly, with room for 4096 bytes of unread text a stream.

use anyhow::Result;

use super::plain;
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;

/// Sets the limit, plays the test, and puts the limit back.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(4096)?;
    plain::run(ctx)
}
