// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The module parameter `rqspinlock.unfair`. If it is 1, as in some guests, waiters of a lock do
//! not queue, and acquisition is unfair.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result};

const FILE: &str = "/sys/module/rqspinlock/parameters/unfair";

/// Changes the parameter for a test. Dropping it restores the old value.
pub struct UnfairParam {
    /// `None` in mainline, which has no such parameter.
    before: Option<String>,
}

impl UnfairParam {
    /// Saves the current value.
    pub fn keep() -> Result<UnfairParam> {
        let before = match fs::read_to_string(FILE) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            text => Some(text.with_context(|| format!("cannot read {FILE}"))?),
        };
        Ok(UnfairParam { before })
    }

    /// Makes waiters queue, or not.
    pub fn set_queued(&self, queued: bool) -> Result<()> {
        if self.before.is_none() {
            return Ok(());
        }
        let unfair = if queued { "0" } else { "1" };
        fs::write(FILE, unfair).with_context(|| format!("cannot write {unfair} to {FILE}"))
    }
}

impl Drop for UnfairParam {
    fn drop(&mut self) {
        if let Some(before) = &self.before
            && let Err(error) = fs::write(FILE, before)
        {
            // later tests would run with the wrong value: report it on the console
            eprintln!("bpf-streams-guest: cannot restore {FILE}: {error}");
        }
    }
}
