// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Waits until earlier tests have returned their memory.
//!
//! The kernel frees a map some time after its last user is gone. With KASAN_VMALLOC each arena
//! takes 512 MiB of shadow memory for its 4 GiB, so that a few tests with arenas in a row would run
//! out of memory although none of them leaks.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::settings;

/// A test starts when at least 3/4 of the memory that was available at the start of the run is
/// available.
const SHARE: (u64, u64) = (3, 4);

/// Time limit for the kernel to free unused memory.
const TIMEOUT: Duration = Duration::from_secs(15);

const PAUSE: Duration = Duration::from_millis(5);

/// Available memory at the start of the run, in KiB.
pub struct Headroom {
    at_start: u64,
}

impl Headroom {
    /// Measures the available memory.
    pub fn at_start() -> Result<Headroom> {
        Ok(Headroom {
            at_start: available()?,
        })
    }

    /// Waits until earlier tests have returned their memory. A timeout is an error: something
    /// leaks.
    pub fn wait(&self) -> Result<()> {
        let wanted = self.at_start * SHARE.0 / SHARE.1;
        let begun = Instant::now();
        let timeout = settings::scaled(TIMEOUT);
        loop {
            let now = available()?;
            if now >= wanted {
                return Ok(());
            }
            if begun.elapsed() > timeout {
                bail!(
                    "only {now} of {} KiB of memory are available {timeout:?} after the tests \
                     before this one: something that they used was not freed",
                    self.at_start
                );
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Available memory in KiB, as estimated by the kernel.
fn available() -> Result<u64> {
    const FILE: &str = "/proc/meminfo";
    let text = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok())
        .with_context(|| format!("{FILE} has no line `MemAvailable:` in kB"))
}
