// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The limit of unread text a stream, `kernel.bpf_stream_max_bytes`.

use std::fs;
use std::io;

use anyhow::{Context, Result};

/// The sysctl, which only ours has.
pub const LIMIT: &str = "/proc/sys/kernel/bpf_stream_max_bytes";

/// The limit while a test changes it; dropping this puts back what was there before.
pub struct Limit {
    before: String,
}

impl Limit {
    /// Keeps what the limit is now.
    pub fn keep() -> Result<Limit> {
        Ok(Limit { before: get()? })
    }

    /// What the limit was before the test.
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
            // the tests after this one are not what they seem: the console's reader must know
            eprintln!("bpf-streams-guest: cannot restore {LIMIT}: {error}");
        }
    }
}

/// What the limit is now.
pub fn get() -> Result<String> {
    let text = fs::read_to_string(LIMIT).with_context(|| format!("cannot read {LIMIT}"))?;
    Ok(text.trim_end().to_owned())
}
