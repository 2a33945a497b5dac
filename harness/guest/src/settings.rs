// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What the host sets for a whole run, told once at its start.

use std::sync::OnceLock;
use std::time::Duration;

/// What the host sets for a whole run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many times longer than in a plain kernel everything may take.
    pub patience: u32,
    /// How long a stress test goes on.
    pub stress: Duration,
    /// The streams of a test that is only run and read are read by bpftool.
    pub bpftool: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            patience: 1,
            stress: Duration::from_secs(1),
            bpftool: false,
        }
    }
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Sets them; the first call counts.
pub fn set(settings: Settings) {
    // a second call would change the rules within a run
    let _ = SETTINGS.set(settings);
}

/// A bound of a plain kernel, as long as this kernel needs it.
pub fn scaled(bound: Duration) -> Duration {
    bound * get().patience
}

/// How long a stress test goes on.
pub fn stress() -> Duration {
    get().stress
}

/// Whether the streams of a test that is only run and read are read by bpftool.
pub fn by_bpftool() -> bool {
    get().bpftool
}

fn get() -> Settings {
    SETTINGS.get().copied().unwrap_or_default()
}
