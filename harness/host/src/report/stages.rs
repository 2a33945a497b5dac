// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! How long the stages of a run took: `last/stages.json`, and a table.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A stage and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageTime {
    /// Name of the stage.
    pub stage: String,
    /// Its time.
    pub seconds: f64,
}

/// Measures stages that follow each other.
#[derive(Clone, Debug)]
pub struct Stages {
    since: Instant,
    times: Vec<StageTime>,
}

impl Stages {
    /// Begins with the set-up, which took this time.
    #[must_use]
    pub fn after_setup(setup: Duration) -> Stages {
        let mut stages = Stages {
            since: Instant::now(),
            times: Vec::new(),
        };
        stages.add("set-up", setup);
        stages
    }

    /// Ends a stage, which began with the end of the previous one.
    pub fn end(&mut self, stage: &str) {
        let now = Instant::now();
        self.add(stage, now - self.since);
        self.since = now;
    }

    /// Ends the stage `second`, whose first part was the stage `first` of this length.
    pub fn end_two(&mut self, first: &str, time: Duration, second: &str) {
        let now = Instant::now();
        let time = time.min(now - self.since);
        self.add(first, time);
        self.add(second, now - self.since - time);
        self.since = now;
    }

    /// The ended stages.
    #[must_use]
    pub fn times(&self) -> &[StageTime] {
        &self.times
    }

    fn add(&mut self, stage: &str, time: Duration) {
        self.times.push(StageTime {
            stage: stage.to_owned(),
            seconds: (time.as_secs_f64() * 1000.0).round() / 1000.0,
        });
    }
}

/// The stages on one line; stages of less than a tenth of a second are left out.
#[must_use]
pub fn line(times: &[StageTime]) -> String {
    let shown: Vec<String> = times
        .iter()
        .filter(|time| time.seconds >= 0.1)
        .map(|time| format!("{} {:.1} s", time.stage, time.seconds))
        .collect();
    format!("stages: {}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_follow_each_other() {
        let mut stages = Stages::after_setup(Duration::from_millis(1500));
        stages.end("kernel");
        stages.end_two("boot", Duration::from_secs(1000), "tests");
        let names: Vec<&str> = stages.times().iter().map(|time| &*time.stage).collect();
        assert_eq!(names, ["set-up", "kernel", "boot", "tests"]);
        assert!(stages.times()[2].seconds < 1.0, "{:?}", stages.times());
        assert_eq!(stages.times()[3].seconds, 0.0);
    }

    #[test]
    fn short_stages_are_left_out_of_the_line() {
        let time = |stage: &str, seconds| StageTime {
            stage: stage.to_owned(),
            seconds,
        };
        let times = [
            time("set-up", 0.04),
            time("boot", 2.34),
            time("tests", 30.0),
        ];
        assert_eq!(line(&times), "stages: boot 2.3 s, tests 30.0 s");
    }
}
