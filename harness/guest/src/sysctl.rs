// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The sysctl `kernel.bpf_stream_max_bytes`: the limit of unread text per stream.

use std::fs;
use std::io;

use anyhow::{Context, Result};

/// The sysctl's file, which exists only with this series.
pub const LIMIT: &str = "/proc/sys/kernel/bpf_stream_max_bytes";

/// Changes the limit for a test. Dropping it restores the old value.
pub struct Limit {
    before: String,
}

impl Limit {
    /// Saves the current limit.
    pub fn keep() -> Result<Limit> {
        Ok(Limit { before: get()? })
    }

    /// The limit before the test.
    pub fn before(&self) -> &str {
        &self.before
    }

    /// Writes the text to the sysctl.
    pub fn write(&self, text: &str) -> io::Result<()> {
        fs::write(LIMIT, text)
    }

    /// Sets the limit.
    pub fn set(&self, bytes: u32) -> Result<()> {
        self.write(&bytes.to_string())
            .with_context(|| format!("cannot write {bytes} to {LIMIT}"))
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        if let Err(error) = fs::write(LIMIT, &self.before) {
            // later tests would run with the wrong limit: report it on the console
            eprintln!("bpf-streams-guest: cannot restore {LIMIT}: {error}");
        }
    }
}

/// The current limit.
pub fn get() -> Result<String> {
    let text = fs::read_to_string(LIMIT).with_context(|| format!("cannot read {LIMIT}"))?;
    Ok(text.trim_end().to_owned())
}
