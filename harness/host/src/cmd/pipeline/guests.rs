// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Boots the guests of a run and shows their progress.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use wire::FromGuest;

use crate::env::context::Context;
use crate::env::progress::{ProgressStage, seconds};
use crate::vm::machine::{self, RunRecord, RunSpec, Times};

/// How often the time of the longest test is updated.
const TICK: Duration = Duration::from_millis(500);

/// Boots `jobs` guests of `spec`, which share the tests. Several guests have a folder each.
pub(super) fn boot(
    ctx: &Context,
    spec: &RunSpec,
    jobs: usize,
    times: Times,
) -> Result<Vec<RunRecord>> {
    let specs: Vec<RunSpec> = (1..=jobs)
        .map(|guest| RunSpec {
            run_dir: match jobs {
                1 => spec.run_dir.clone(),
                _ => folder(&spec.run_dir, guest),
            },
            timeouts: spec.timeouts.shared_by(jobs as u32),
            ..spec.clone()
        })
        .collect();
    let stage = ctx
        .progress
        .stage("boot", format!("waiting for {}", count(jobs)));
    let (sender, received) = mpsc::channel();
    let records = thread::scope(|scope| {
        let specs = &specs;
        let guests = scope.spawn(move || {
            machine::run_several(ctx, specs, times, &|guest, line| {
                // the receiver exists as long as this thread
                let _ = event(line).map(|event| sender.send((guest, event)));
            })
        });
        follow(&received, &stage, jobs);
        guests.join()
    });
    let records = match records {
        Ok(records) => records?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    stage.done(summary(&records));
    Ok(records)
}

/// The folder of a guest, counted from 1, in a run of several.
pub(super) fn folder(run: &Path, guest: usize) -> std::path::PathBuf {
    run.join(format!("guest-{guest}"))
}

fn count(jobs: usize) -> String {
    match jobs {
        1 => "the guest".to_owned(),
        _ => format!("{jobs} guests"),
    }
}

fn summary(records: &[RunRecord]) -> String {
    let accelerator = records.first().map_or_else(String::new, |record| {
        format!(" under {}", record.accelerator)
    });
    let guests = match records.len() {
        1 => "guest".to_owned(),
        several => format!("{several} guests"),
    };
    let started: Option<Vec<Duration>> = records.iter().map(|record| record.boot).collect();
    match started.and_then(|started| started.into_iter().max()) {
        Some(time) => format!("{guests}{accelerator}, start line after {}", seconds(time)),
        None => format!("{guests}{accelerator}, a start line is missing"),
    }
}

/// What a line of a guest means for the progress.
enum Event {
    Announced(usize),
    Begun(String),
    Reported,
}

fn event(line: &FromGuest) -> Option<Event> {
    match line {
        FromGuest::Start { tests, .. } => Some(Event::Announced(tests.len())),
        FromGuest::TestStart { test } => Some(Event::Begun(test.clone())),
        FromGuest::Test(_) => Some(Event::Reported),
        FromGuest::Request { .. } | FromGuest::End { .. } => None,
    }
}

/// Updates the stage until the guests have ended.
fn follow(received: &Receiver<(usize, Event)>, stage: &ProgressStage, jobs: usize) {
    let mut tests = Tests::new(jobs);
    loop {
        match received.recv_timeout(TICK) {
            Ok((guest, event)) => tests.take(guest, event),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if let Some(line) = tests.line(Instant::now()) {
            stage.update(line);
        }
    }
}

/// The tests of all guests.
struct Tests {
    all: usize,
    done: usize,
    /// The test of each guest, and its begin.
    running: Vec<Option<(String, Instant)>>,
}

impl Tests {
    fn new(guests: usize) -> Tests {
        Tests {
            all: 0,
            done: 0,
            running: vec![None; guests],
        }
    }

    fn take(&mut self, guest: usize, event: Event) {
        match event {
            Event::Announced(tests) => self.all = tests,
            Event::Begun(test) => self.running[guest] = Some((test, Instant::now())),
            Event::Reported => {
                self.done += 1;
                self.running[guest] = None;
            }
        }
    }

    /// How many tests are done, and the test that has run longest; `None` before the first start line.
    fn line(&self, now: Instant) -> Option<String> {
        if self.all == 0 {
            return None;
        }
        let longest = self
            .running
            .iter()
            .flatten()
            .min_by_key(|(_, since)| *since);
        let running = longest.map_or_else(String::new, |(test, since)| {
            format!(": {test} ({})", seconds(now.duration_since(*since)))
        });
        Some(format!("{} of {} done{running}", self.done, self.all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_the_test_that_has_run_longest() {
        let mut tests = Tests::new(2);
        assert_eq!(tests.line(Instant::now()), None);
        tests.take(0, Event::Announced(3));
        tests.take(1, Event::Announced(3));
        let now = Instant::now();
        assert_eq!(tests.line(now).unwrap(), "0 of 3 done");
        tests.take(0, Event::Begun("a__x".to_owned()));
        tests.take(1, Event::Begun("a__y".to_owned()));
        let later = Instant::now() + Duration::from_secs(20);
        assert_eq!(tests.line(later).unwrap(), "0 of 3 done: a__x (20 s)");
        tests.take(0, Event::Reported);
        assert_eq!(tests.line(later).unwrap(), "1 of 3 done: a__y (20 s)");
        tests.take(1, Event::Reported);
        assert_eq!(tests.line(later).unwrap(), "2 of 3 done");
    }
}
