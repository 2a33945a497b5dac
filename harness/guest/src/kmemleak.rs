// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The kernel's search for memory that nothing refers to.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

const FILE: &str = "/sys/kernel/debug/kmemleak";

/// The kernel holds nothing that is younger for a leak (`jiffies_min_age` in mm/kmemleak.c), as its
/// only pointer may still be in a register; there is no way to ask for less.
const MINIMUM_AGE: Duration = Duration::from_secs(5);

/// Whether the kernel searches for leaked objects.
pub fn is_enabled() -> bool {
    Path::new(FILE).exists()
}

/// Scans for what leaked before this call. `None` where the kernel has no kmemleak.
///
/// Two scans: the first takes the checksum of every object, and only one that has not changed by
/// the second is listed.
pub fn scan() -> Result<Option<String>> {
    if !is_enabled() {
        return Ok(None);
    }
    thread::sleep(MINIMUM_AGE);
    for _ in 0..2 {
        fs::write(FILE, "scan").with_context(|| {
            format!("cannot start a scan through {FILE}: was kmemleak switched off by an error?")
        })?;
    }
    let listed = fs::read(FILE).with_context(|| format!("cannot read {FILE}"))?;
    Ok(Some(String::from_utf8_lossy(&listed).into_owned()))
}
