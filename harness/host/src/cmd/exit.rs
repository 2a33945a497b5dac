// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The exit statuses of every task.

use std::process::ExitCode;

/// 0 where everything passed, 1 where a test or a check failed.
#[must_use]
pub fn verdict(passed: bool) -> ExitCode {
    match passed {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    }
}

/// 2: no verdict could be reached; clap ends with the same on a usage error.
#[must_use]
pub fn no_verdict() -> ExitCode {
    ExitCode::from(2)
}
