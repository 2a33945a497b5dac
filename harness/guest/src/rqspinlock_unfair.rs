// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Whether those who wait for a lock queue up, which the kernel does not let them do in some guests.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result};

const FILE: &str = "/sys/module/rqspinlock/parameters/unfair";

/// The setting while a test changes it; dropping this puts back what was there before.
pub struct UnfairParam {
    /// None in mainline, which lets nobody choose.
    before: Option<String>,
}

impl UnfairParam {
    /// Keeps what the setting is now.
    pub fn keep() -> Result<UnfairParam> {
        let before = match fs::read_to_string(FILE) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            text => Some(text.with_context(|| format!("cannot read {FILE}"))?),
        };
        Ok(UnfairParam { before })
    }

    /// Lets waiters queue up, or not.
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
            // the tests after this one are not what they seem: the console's reader must know
            eprintln!("bpf-streams-guest: cannot restore {FILE}: {error}");
        }
    }
}
