// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! How long each stage of a run may take.

use std::fmt;
use std::time::{Duration, Instant};

use wire::FromGuest;

/// How long each stage may take. Generous: software emulation on a loaded machine is slow, and a
/// guest that hangs is rare.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until the agent's first line.
    pub boot: Duration,
    /// For one test, and from one to the next.
    pub test: Duration,
    /// From the agent's last line until the guest is off.
    pub power_off: Duration,
    /// For all of it.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            boot: Duration::from_secs(60),
            // 1,000 loads of a program take one second on a machine with nothing else to do, and
            // 24 on a busy one, where the emulated CPUs of arm64 wait for each other
            test: Duration::from_secs(60),
            power_off: Duration::from_secs(20),
            whole: Duration::from_secs(600),
        }
    }
}

impl Timeouts {
    /// Those of a kernel that is this many times slower than a plain one, with stress tests that go
    /// on for so long.
    pub fn of(patience: u32, stress: Duration) -> Timeouts {
        let plain = Timeouts::default();
        Timeouts {
            boot: plain.boot * patience,
            test: plain.test * patience + stress,
            power_off: plain.power_off * patience,
            whole: plain.whole * patience + stress * STRESS_CASES,
        }
    }
}

/// As many as there may be.
const STRESS_CASES: u32 = 4;

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The agent has not spoken yet.
    Boot,
    /// This test has begun.
    Test(String),
    /// Between two tests.
    Between,
    /// The agent is done.
    PowerOff,
    /// All stages together.
    Whole,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Boot => f.write_str("while it booted"),
            Stage::Test(test) => write!(f, "in {test}"),
            Stage::Between => f.write_str("between two tests"),
            Stage::PowerOff => f.write_str("while it powered off"),
            Stage::Whole => f.write_str("before the run was over"),
        }
    }
}

/// Follows a run from stage to stage.
#[derive(Debug)]
pub struct Clock {
    timeouts: Timeouts,
    stage: Stage,
    since: Instant,
    begun: Instant,
}

impl Clock {
    /// Begins with the boot.
    pub fn start(timeouts: Timeouts) -> Clock {
        let now = Instant::now();
        Clock {
            timeouts,
            stage: Stage::Boot,
            since: now,
            begun: now,
        }
    }

    /// Enters the stage that this line begins, if it does.
    pub fn line(&mut self, line: &FromGuest) {
        self.stage = match line {
            FromGuest::Start { .. } | FromGuest::Test(_) => Stage::Between,
            FromGuest::TestStart { test } => Stage::Test(test.clone()),
            FromGuest::End { .. } => Stage::PowerOff,
            // a guest that only asks and asks does not get any further
            FromGuest::Request { .. } => return,
        };
        self.since = Instant::now();
    }

    /// Since the run began.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How long to wait for the next event.
    pub fn left(&self) -> Duration {
        let stage = self.limit().saturating_sub(self.since.elapsed());
        stage.min(self.timeouts.whole.saturating_sub(self.elapsed()))
    }

    /// The stage that has taken too long, and how long it may take.
    pub fn expired(&self) -> Option<(Stage, Duration)> {
        if self.since.elapsed() >= self.limit() {
            Some((self.stage.clone(), self.limit()))
        } else if self.elapsed() >= self.timeouts.whole {
            Some((Stage::Whole, self.timeouts.whole))
        } else {
            None
        }
    }

    fn limit(&self) -> Duration {
        match self.stage {
            Stage::Boot => self.timeouts.boot,
            Stage::Test(_) | Stage::Between => self.timeouts.test,
            Stage::PowerOff => self.timeouts.power_off,
            Stage::Whole => self.timeouts.whole,
        }
    }
}
