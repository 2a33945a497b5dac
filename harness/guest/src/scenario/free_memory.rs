// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! How much memory is free, for scenarios that look whether it comes back.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::{kmemleak, settings};

/// What the rest of the guest may take or give meanwhile.
pub const SLACK_KIB: i64 = 1024;

/// The kernel frees some things a while after they were given up, on a busy host much later.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What counts as free in `/proc/zoneinfo`: the zones' free pages, and the lists of free pages of each
/// CPU, which can grow to many MiB and which MemFree of `/proc/meminfo` leaves out.
const FREE: &[&str] = &["nr_free_pages ", "count:"];

/// The pages of slabs count as free, too, where the kernel searches for leaked objects itself: KASAN
/// of the same kernels keeps freed objects back for long, many MiB of them, and which of the others
/// are leaked, kmemleak knows better.
const SLABS: &[&str] = &["nr_slab_reclaimable ", "nr_slab_unreclaimable "];

/// What vmalloc was given back and has not given up yet. It has no pages any more, but KASAN's shadow
/// of it, an eighth of its size, stays as long.
const UNPURGED: &str = " unpurged vm_area";
const SHADOW: i64 = 8;

/// KiB of memory that nothing uses.
pub fn now() -> Result<i64> {
    Ok(free_in_zones()? + shadow_of_unpurged()?)
}

/// KiB of KASAN's shadow that is about to be freed; nothing where kernels have none.
fn shadow_of_unpurged() -> Result<i64> {
    if !kmemleak::is_enabled() {
        return Ok(0);
    }
    Ok(unpurged(&read("/proc/vmallocinfo")?) / SHADOW / 1024)
}

/// Adds up the bytes, which stand behind the addresses.
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
        .with_context(|| format!("{FILE} names no free pages"))?;
    // SAFETY: takes and gives numbers only.
    let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Ok(pages * page_size / 1024)
}

/// Adds up the counts that have one of these names.
fn sum(zoneinfo: &str, names: &[&str]) -> Option<i64> {
    zoneinfo
        .lines()
        .map(str::trim)
        .filter_map(|line| names.iter().find_map(|name| line.strip_prefix(name)))
        .map(|count| count.trim().parse::<i64>().ok())
        .sum::<Option<i64>>()
        .filter(|pages| *pages > 0)
}

/// The same, when it has stopped to change.
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

/// Waits until as much is free again as was `before`.
pub fn wait_until_restored(before: i64) -> Result<()> {
    let begun = Instant::now();
    loop {
        let missing = before - now()?;
        if missing <= SLACK_KIB {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < settings::scaled(TIMEOUT),
            "{missing} KiB more are in use than before, {SLACK_KIB} KiB are allowed"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::{FREE, SLABS, sum, unpurged};

    #[test]
    fn what_vmalloc_keeps_back_is_added_up() {
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
