// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The time limits of the stages of a run.

use std::fmt;
use std::time::{Duration, Instant};

use wire::FromGuest;

/// The time limit of each stage. Long, because software emulation on a loaded machine is slow, and hangs
/// are rare.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until the first line of the agent.
    pub boot: Duration,
    /// For a test, and between two tests.
    pub test: Duration,
    /// From the last line of the agent until the guest is off.
    pub power_off: Duration,
    /// For all stages together.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            boot: Duration::from_secs(60),
            // 1,000 loads of a program take 1 s on an idle machine, and 24 s on a busy one, where the
            // emulated CPUs of arm64 wait for each other
            test: Duration::from_secs(60),
            power_off: Duration::from_secs(20),
            whole: Duration::from_secs(600),
        }
    }
}

impl Timeouts {
    /// The limits for a kernel that is `scale` times slower than a plain one, with stress tests of the
    /// duration `stress`.
    pub fn of(scale: u32, stress: Duration) -> Timeouts {
        let plain = Timeouts::default();
        Timeouts {
            boot: plain.boot * scale,
            test: plain.test * scale + stress,
            power_off: plain.power_off * scale,
            whole: plain.whole * scale + stress * MAX_STRESS_TESTS,
        }
    }
}

impl Timeouts {
    /// The limits for each of several guests that share the CPUs of the machine.
    #[must_use]
    pub fn shared_by(self, guests: u32) -> Timeouts {
        Timeouts {
            boot: self.boot * guests,
            test: self.test * guests,
            power_off: self.power_off * guests,
            whole: self.whole * guests,
        }
    }
}

/// Upper limit for the number of tests that run for the duration of a stress test.
const MAX_STRESS_TESTS: u32 = 40;

/// The stage of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before the first line of the agent.
    Boot,
    /// In this test.
    Test(String),
    /// Between two tests.
    Between,
    /// Waiting for the host to name a test; only the limit of the whole run counts.
    Waiting,
    /// After the last line of the agent.
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
            Stage::Waiting => f.write_str("while it waited for a test"),
            Stage::PowerOff => f.write_str("while it powered off"),
            Stage::Whole => f.write_str("before the run was over"),
        }
    }
}

/// Measures the time of the current stage.
#[derive(Debug)]
pub struct Clock {
    timeouts: Timeouts,
    stage: Stage,
    since: Instant,
    begun: Instant,
}

impl Clock {
    /// Starts with [`Stage::Boot`].
    pub fn start(timeouts: Timeouts) -> Clock {
        let now = Instant::now();
        Clock {
            timeouts,
            stage: Stage::Boot,
            since: now,
            begun: now,
        }
    }

    /// Enters the stage that begins with this line, if one does.
    pub fn line(&mut self, line: &FromGuest) {
        let stage = match line {
            FromGuest::Start { .. } | FromGuest::Test(_) => Stage::Between,
            FromGuest::TestStart { test } => Stage::Test(test.clone()),
            FromGuest::End { .. } => Stage::PowerOff,
            // requests do not extend the time of a stage
            FromGuest::Request { .. } => return,
        };
        self.enter(stage);
    }

    /// Enters [`Stage::Waiting`].
    pub fn wait(&mut self) {
        self.enter(Stage::Waiting);
    }

    /// Enters [`Stage::Between`]: the guest has an answer.
    pub fn answered(&mut self) {
        self.enter(Stage::Between);
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.since = Instant::now();
    }

    /// Time since the beginning of the run.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Time until the next limit.
    pub fn left(&self) -> Duration {
        let stage = self.limit().saturating_sub(self.since.elapsed());
        stage.min(self.timeouts.whole.saturating_sub(self.elapsed()))
    }

    /// The stage that has exceeded its limit, and the limit.
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
            Stage::Waiting | Stage::Whole => self.timeouts.whole,
        }
    }
}
