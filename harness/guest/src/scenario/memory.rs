// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! How much memory is free, for scenarios that look whether it comes back.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::settings;

/// What the rest of the guest may take or give meanwhile.
pub const SLACK_KIB: i64 = 1024;

/// The kernel frees some things a while after they were given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// KiB of memory that nothing uses. Each CPU keeps lists of free pages, which can grow to many MiB
/// and which MemFree of `/proc/meminfo` leaves out.
pub fn free() -> Result<i64> {
    const FILE: &str = "/proc/zoneinfo";
    let text = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
    let pages = free_pages(&text).with_context(|| format!("{FILE} names no free pages"))?;
    // SAFETY: takes and gives numbers only.
    let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Ok(pages * page_size / 1024)
}

/// Adds up the zones' free pages and those of each CPU's lists.
fn free_pages(zoneinfo: &str) -> Option<i64> {
    zoneinfo
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            line.strip_prefix("nr_free_pages ")
                .or_else(|| line.strip_prefix("count:"))
        })
        .map(|count| count.trim().parse::<i64>().ok())
        .sum::<Option<i64>>()
        .filter(|pages| *pages > 0)
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

#[cfg(test)]
mod tests {
    use super::free_pages;

    #[test]
    fn zones_and_lists_are_added_up() {
        let text = "Node 0, zone  DMA32
  pages free     999
      nr_free_pages 100
  pagesets
    cpu: 0
              count:    20
              high:     999
    cpu: 1
              count:    3
";
        assert_eq!(free_pages(text), Some(123));
        assert_eq!(free_pages("nr_free_pages many"), None);
        assert_eq!(free_pages(""), None);
    }
}
