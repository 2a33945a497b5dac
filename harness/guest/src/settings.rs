// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Settings of a whole run, from the command line.

use std::ops::RangeInclusive;
use std::sync::OnceLock;
use std::time::Duration;

/// Settings of a whole run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Factor for all time limits, compared with a plain kernel.
    pub timeout_scale: u32,
    /// Duration of a stress test.
    pub stress: Duration,
    /// Read the streams of plain tests with bpftool.
    pub bpftool: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            timeout_scale: 1,
            stress: Duration::from_millis(250),
            bpftool: false,
        }
    }
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Sets the settings. Only the first call has an effect.
pub fn set(settings: Settings) {
    // a second call would change the settings within a run
    let _ = SETTINGS.set(settings);
}

/// A time limit of a plain kernel, scaled for this kernel.
pub fn scaled(bound: Duration) -> Duration {
    bound * get().timeout_scale
}

/// Duration of a stress test.
pub fn stress() -> Duration {
    get().stress
}

/// A number of rounds that grows with the duration of a stress test: `per_second` for each second,
/// within `range`.
pub fn rounds(per_second: usize, range: RangeInclusive<usize>) -> usize {
    let milliseconds = usize::try_from(stress().as_millis()).unwrap_or(usize::MAX);
    let rounds = per_second.saturating_mul(milliseconds) / 1000;
    rounds.clamp(*range.start(), *range.end())
}

/// Number of reports of a program that faults in a loop.
pub fn reports() -> u32 {
    rounds(200_000, 20_000..=1_000_000) as u32
}

/// Whether the streams of plain tests are read with bpftool.
pub fn by_bpftool() -> bool {
    get().bpftool
}

fn get() -> Settings {
    SETTINGS.get().copied().unwrap_or_default()
}
