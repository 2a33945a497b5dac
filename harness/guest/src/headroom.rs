// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Room for a test: what earlier tests took has to be given back first.
//!
//! The kernel frees a map some time after its last user has gone. Where KASAN watches the addresses
//! of vmalloc, each arena takes 512 MiB for the shadow of its 4 GiB, and a few tests in a row that
//! each have one would find no memory left, though none of them keeps any.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::settings;

/// A test begins when at least 3/4 of what was available at the start of the run is available.
const SHARE: (u64, u64) = (3, 4);

/// How long the kernel may take to free what nobody uses.
const TIMEOUT: Duration = Duration::from_secs(15);

const PAUSE: Duration = Duration::from_millis(5);

/// What was available at the start of the run, in KiB.
pub struct Headroom {
    at_start: u64,
}

impl Headroom {
    /// Looks how much there is now.
    pub fn at_start() -> Result<Headroom> {
        Ok(Headroom {
            at_start: available()?,
        })
    }

    /// Waits until earlier tests have given back what they took. That they have not in time is an
    /// error: something keeps it.
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

/// KiB that could be allocated, as the kernel estimates it.
fn available() -> Result<u64> {
    const FILE: &str = "/proc/meminfo";
    let text = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok())
        .with_context(|| format!("{FILE} has no line `MemAvailable:` in kB"))
}
