// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Whether those who wait for a lock queue up, which the kernel does not let them do in some guests.

use std::fs;

use anyhow::{Context, Result};

const FILE: &str = "/sys/module/rqspinlock/parameters/unfair";

/// The setting while a case changes it; dropping this puts back what was there before.
pub struct Queueing {
    before: String,
}

impl Queueing {
    /// Keeps what the setting is now.
    pub fn keep() -> Result<Queueing> {
        let before = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
        Ok(Queueing { before })
    }

    /// Lets waiters queue up, or not.
    pub fn set(&self, queued: bool) -> Result<()> {
        let unfair = if queued { "0" } else { "1" };
        fs::write(FILE, unfair).with_context(|| format!("cannot write {unfair} to {FILE}"))
    }
}

impl Drop for Queueing {
    fn drop(&mut self) {
        if let Err(error) = fs::write(FILE, &self.before) {
            // the cases after this one are not what they seem: the console's reader must know
            eprintln!("bpf-streams-guest: cannot restore {FILE}: {error}");
        }
    }
}
