// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Writes good and bad values to the sysctl; notes what each write returned and what holds then.

use anyhow::Result;

use super::Stage;
use crate::errno;
use crate::sysctl::{self, Limit};

/// The bounds, what lies just outside of them, and what is no number of bytes at all.
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

/// Writes every value. The program is loaded, not run.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    stage.load()?;
    let limit = Limit::keep()?;
    stage.note(format!("holds {} at first", limit.before()));
    for value in VALUES {
        let result = match limit.write(value) {
            Ok(()) => "ok".to_owned(),
            Err(error) => errno::describe(&error),
        };
        stage.note(format!("write {value}: {result}, holds {}", sysctl::get()?));
    }
    Ok(None)
}
