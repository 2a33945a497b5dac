// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Writes valid and invalid values to the sysctl; notes the result and the value after each write.

use anyhow::Result;

use crate::errno;
use crate::sysctl::{self, Limit};
use crate::test_ctx::TestCtx;

/// The bounds, values just outside of them, and values that are no number of bytes.
const VALUES: &[&str] = &[
    "4096",
    "67108864",
    "65536",
    "4095",
    "67108865",
    "0",
    "-1",
    "4294967296",
    "18446744073709551615",
    "many",
];

/// Writes every value. The program is only loaded.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    ctx.load()?;
    let limit = Limit::keep()?;
    ctx.note(format!("holds {} at first", limit.before()));
    for value in VALUES {
        let result = match limit.write(value) {
            Ok(()) => "ok".to_owned(),
            Err(error) => errno::describe(&error),
        };
        ctx.note(format!("write {value}: {result}, holds {}", sysctl::get()?));
    }
    Ok(None)
}
