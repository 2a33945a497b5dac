// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Allocations that fail on request (Documentation/fault-injection in the kernel).

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};

/// Allocations of pages.
pub const PAGES: &str = "/sys/kernel/debug/fail_page_alloc";
/// Allocations of objects.
pub const SLAB: &str = "/sys/kernel/debug/failslab";

/// Which call of this thread that can fail is to fail next, and, when read, how many calls are left
/// until then.
const NTH: &str = "/proc/thread-self/fail-nth";

/// Allocations that may not wait fail with a certain probability, wherever in the kernel they are
/// made, until this is dropped. (Those that may wait are left alone: they are not made where a
/// program prints, and the agent lives on them.)
pub struct FailAtomic(());

impl FailAtomic {
    /// Begins.
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
                // the tests after this one are not what they seem: the console's reader must know
                eprintln!("bpf-streams-guest: cannot end the fault injection: {error:#}");
            }
        }
    }
}

/// Does `work` once with no failure but that of the `nth` allocation of this thread. Gives what came
/// of it, and whether there were that many allocations.
pub fn fail_nth<T>(nth: u32, work: impl FnOnce() -> T) -> Result<(T, bool)> {
    for kind in [PAGES, SLAB] {
        set(kind, "probability", "0")?;
        prepare(kind, "N")?;
    }
    // opened before and written in place, so that nothing but the work is counted
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
    // a failure on request is no news for the console
    set(kind, "verbose", "0")?;
    set(kind, "task-filter", "N")?;
    set(kind, "ignore-gfp-wait", only_impatient)?;
    if kind == PAGES {
        // single pages too
        set(kind, "min-order", "0")?;
    }
    Ok(())
}

fn set(kind: &str, attribute: &str, value: &str) -> Result<()> {
    let file = format!("{kind}/{attribute}");
    fs::write(&file, value).with_context(|| format!("cannot write {value} to {file}"))
}
