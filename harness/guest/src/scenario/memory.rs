// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! How much memory is free, for scenarios that look whether it comes back.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::settings;

/// Lists of free pages, of which each CPU keeps some, make the figure uncertain by less than this.
pub const SLACK_KIB: i64 = 2048;

/// The kernel frees some things a while after they were given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// KiB of memory that nothing uses.
pub fn free() -> Result<i64> {
    const FILE: &str = "/proc/meminfo";
    let text = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("MemFree:")?.trim().strip_suffix(" kB"))
        .and_then(|count| count.trim().parse().ok())
        .with_context(|| format!("{FILE} has no line MemFree in kB"))
}

/// The same, when it has stopped to change.
pub fn settled() -> Result<i64> {
    let begun = Instant::now();
    let mut last = free()?;
    while begun.elapsed() < settings::patient(PATIENCE) {
        thread::sleep(Duration::from_millis(20));
        let now = free()?;
        if (now - last).abs() < 64 {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

/// Waits until as much is free again as was `before`.
pub fn wait_until_back(before: i64) -> Result<()> {
    let begun = Instant::now();
    loop {
        let missing = before - free()?;
        if missing <= SLACK_KIB {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < settings::patient(PATIENCE),
            "{missing} KiB more are in use than before, {SLACK_KIB} KiB are allowed"
        );
        thread::sleep(Duration::from_millis(10));
    }
}
