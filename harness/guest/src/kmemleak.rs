// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Scans for leaked kernel memory with kmemleak.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

const FILE: &str = "/sys/kernel/debug/kmemleak";

/// kmemleak does not report younger objects (`jiffies_min_age` in mm/kmemleak.c), as their only
/// pointer may still be in a register. The age cannot be configured.
const MINIMUM_AGE: Duration = Duration::from_secs(5);

/// Whether the kernel has kmemleak enabled.
pub fn is_enabled() -> bool {
    Path::new(FILE).exists()
}

/// Returns the objects that leaked before this call; `None` if the kernel has no kmemleak.
///
/// Two scans are needed: the first stores a checksum of every object, and the second reports only
/// objects whose checksum has not changed.
pub fn scan() -> Result<Option<String>> {
    if !is_enabled() {
        return Ok(None);
    }
    thread::sleep(MINIMUM_AGE);
    for _ in 0..2 {
        fs::write(FILE, "scan").with_context(|| {
            format!(
                "cannot start a scan through {FILE}: did kmemleak disable itself after an error?"
            )
        })?;
    }
    let listed = fs::read(FILE).with_context(|| format!("cannot read {FILE}"))?;
    Ok(Some(String::from_utf8_lossy(&listed).into_owned()))
}
