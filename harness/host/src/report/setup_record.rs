// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The result of `make setup-test` in one root.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The result of the set-up in one root.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupRecord {
    /// Name of the root.
    pub name: String,
    /// Whether the set-up and every check after it passed.
    pub passed: bool,
    /// How long it took.
    pub seconds: f64,
    /// The error and the end of the output; empty where it passed.
    pub output: Vec<String>,
}

impl SetupRecord {
    /// How long it took.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }
}
