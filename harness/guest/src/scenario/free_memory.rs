// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Free memory, for scenarios that check for leaks.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::{kmemleak, settings};

/// What the rest of the guest may allocate or free during a test.
pub const SLACK_KIB: i64 = 1024;

/// What may be missing at the end of [`wait_until_restored`].
const MISSING_KIB: i64 = 512;

/// Time limit for the kernel to free memory, which takes long on a busy host.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Names in `/proc/zoneinfo` of what counts as free: the zones' free pages, and the per-CPU lists
/// of free pages, which can grow to many MiB and which MemFree of `/proc/meminfo` omits.
const FREE: &[&str] = &["nr_free_pages ", "count:"];

/// Slab pages count as free too if the kernel has kmemleak: KASAN in the same kernel keeps many MiB
/// of freed objects in quarantine, and kmemleak finds leaked objects.
const SLABS: &[&str] = &["nr_slab_reclaimable ", "nr_slab_unreclaimable "];

/// Freed vmalloc areas that are not purged yet. They have no pages, but KASAN keeps their shadow
/// memory, an eighth of their size.
const UNPURGED: &str = " unpurged vm_area";
const SHADOW: i64 = 8;

/// Free memory in KiB.
pub fn now() -> Result<i64> {
    Ok(free_in_zones()? + shadow_of_unpurged()?)
}

/// KASAN shadow memory in KiB that is about to be freed; 0 without KASAN.
fn shadow_of_unpurged() -> Result<i64> {
    if !kmemleak::is_enabled() {
        return Ok(0);
    }
    Ok(unpurged(&read("/proc/vmallocinfo")?) / SHADOW / 1024)
}

/// Adds up the sizes, which are the second column.
fn unpurged(vmallocinfo: &str) -> i64 {
    vmallocinfo
        .lines()
        .filter_map(|line| line.strip_suffix(UNPURGED)?.split_whitespace().nth(1))
        .filter_map(|bytes| bytes.parse::<i64>().ok())
        .sum()
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {file}"))
}

fn free_in_zones() -> Result<i64> {
    const FILE: &str = "/proc/zoneinfo";
    let text = read(FILE)?;
    let slabs = if kmemleak::is_enabled() { SLABS } else { &[] };
    let pages = sum(&text, &[FREE, slabs].concat())
        .with_context(|| format!("{FILE} has no counts of free pages"))?;
    // SAFETY: takes and returns numbers only.
    let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Ok(pages * page_size / 1024)
}

/// Adds up the counts with one of these names.
fn sum(zoneinfo: &str, names: &[&str]) -> Option<i64> {
    zoneinfo
        .lines()
        .map(str::trim)
        .filter_map(|line| names.iter().find_map(|name| line.strip_prefix(name)))
        .map(|count| count.trim().parse::<i64>().ok())
        .sum::<Option<i64>>()
        .filter(|pages| *pages > 0)
}

/// Free memory in KiB when it has stopped changing.
pub fn settled() -> Result<i64> {
    let begun = Instant::now();
    let mut last = now()?;
    while begun.elapsed() < settings::scaled(TIMEOUT) {
        thread::sleep(Duration::from_millis(20));
        let now = now()?;
        if (now - last).abs() < 64 {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
}

/// Waits until as much memory is free as `before`.
pub fn wait_until_restored(before: i64) -> Result<()> {
    let begun = Instant::now();
    loop {
        let missing = before - now()?;
        if missing <= MISSING_KIB {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < settings::scaled(TIMEOUT),
            "{missing} KiB more are in use than before; {MISSING_KIB} KiB are allowed"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::{FREE, SLABS, sum, unpurged};

    #[test]
    fn unpurged_areas_are_added_up() {
        let text = "0x1-0x2   8192 bpf_prog_alloc+0x1/0x2 pages=1 vmalloc N0=1
0x1-0x2   12288 unpurged vm_area
0x1-0x2    8192 unpurged vm_area
";
        assert_eq!(unpurged(text), 20480);
        assert_eq!(unpurged(""), 0);
    }

    #[test]
    fn zones_and_lists_are_added_up() {
        let text = "Node 0, zone  DMA32
  per-node stats
      nr_slab_reclaimable 4000
      nr_slab_unreclaimable 50000
  pages free     999
      nr_free_pages 100
  pagesets
    cpu: 0
              count:    20
              high:     999
    cpu: 1
              count:    3
";
        assert_eq!(sum(text, FREE), Some(123));
        assert_eq!(sum(text, &[FREE, SLABS].concat()), Some(54123));
        assert_eq!(sum("nr_free_pages many", FREE), None);
        assert_eq!(sum("", FREE), None);
    }
}
