// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Fault injection for allocations (Documentation/fault-injection in the kernel).

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};

/// Faults of page allocations.
pub const PAGES: &str = "/sys/kernel/debug/fail_page_alloc";
/// Faults of slab allocations.
pub const SLAB: &str = "/sys/kernel/debug/failslab";

/// Writing `n` makes the n-th fallible call of this thread fail; reading returns how many calls are
/// left.
const NTH: &str = "/proc/thread-self/fail-nth";

/// Makes atomic allocations fail with a given probability, in the whole kernel, until it is
/// dropped. Allocations that may sleep succeed: printing makes none, and the agent needs them.
pub struct FailAtomic(());

impl FailAtomic {
    /// Starts the injection.
    pub fn start(percent: u32) -> Result<FailAtomic> {
        let guard = FailAtomic(());
        for kind in [PAGES, SLAB] {
            prepare(kind, "Y")?;
            set(kind, "times", "-1")?;
            set(kind, "probability", &percent.to_string())?;
        }
        Ok(guard)
    }
}

impl Drop for FailAtomic {
    fn drop(&mut self) {
        for kind in [PAGES, SLAB] {
            if let Err(error) = set(kind, "probability", "0") {
                // later tests would see failures: report it on the console
                eprintln!("bpf-streams-guest: cannot stop the fault injection: {error:#}");
            }
        }
    }
}

/// Calls `work` once, in which only the `nth` allocation of this thread fails. Returns the result,
/// and whether there were that many allocations.
pub fn fail_nth<T>(nth: u32, work: impl FnOnce() -> T) -> Result<(T, bool)> {
    for kind in [PAGES, SLAB] {
        set(kind, "probability", "0")?;
        prepare(kind, "N")?;
    }
    // opened before `work` and written in place, so that only calls of `work` are counted
    let file = File::options()
        .read(true)
        .write(true)
        .open(NTH)
        .with_context(|| format!("cannot open {NTH}"))?;
    let write = |count: u32| {
        file.write_all_at(count.to_string().as_bytes(), 0)
            .with_context(|| format!("cannot write {count} to {NTH}"))
    };
    let mut left = [0; 16];
    write(nth)?;
    let result = work();
    let length = file.read_at(&mut left, 0);
    write(0)?;
    let length = length.with_context(|| format!("cannot read {NTH}"))?;
    Ok((result, left[..length].trim_ascii() == b"0"))
}

fn prepare(kind: &str, only_impatient: &str) -> Result<()> {
    // an injected failure must not print to the console
    set(kind, "verbose", "0")?;
    set(kind, "task-filter", "N")?;
    set(kind, "ignore-gfp-wait", only_impatient)?;
    if kind == PAGES {
        // fail allocations of single pages too
        set(kind, "min-order", "0")?;
    }
    Ok(())
}

fn set(kind: &str, attribute: &str, value: &str) -> Result<()> {
    let file = format!("{kind}/{attribute}");
    fs::write(&file, value).with_context(|| format!("cannot write {value} to {file}"))
}
