// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The verdict on a run: a pure function of the recorded channel and console.
//!
//! A guest has no fault if it wrote exactly one start line, every test that it was handed once and in its
//! turn, one end line with the right count, and no other line; if it ran the expected kernel; if the
//! console has no splat and the leak scan found nothing; and if the guest powered off by itself. A run has
//! no fault if no guest has one, all guests announced the same tests, and each was handed to one guest.
//! Everything else is a [`Fault`]. Exit codes do not count. `per_test` compares the tests with their
//! snapshots.

use serde::Deserialize;
use wire::{FromGuest, Outcome, PROTOCOL, TestReport};

use crate::judge::console;
use crate::judge::feature;

mod fault;
mod union;

pub use fault::Fault;

/// The record of a guest.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Lines of the channel, each with its `\n` if it had one.
    pub lines: &'a [&'a [u8]],
    /// The tests that were handed to the guest, in order.
    pub handed: &'a [String],
    /// The whole console.
    pub console: &'a [u8],
    /// Why the guest was stopped, where it did not power off by itself.
    pub stopped: Option<&'a str>,
}

/// What the run should be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// `uname -r` of the kernel that was built; `None` for an external kernel, whose release is unknown
    /// before it runs.
    pub release: Option<&'a str>,
    /// `uname -m` of the guest.
    pub machine: &'a str,
    /// The regular expression that selects tests, if there is one.
    pub filter: Option<&'a str>,
    /// Features that the kernel was built with: no test that needs one may be skipped.
    pub features: &'a [&'a str],
}

/// The verdict on a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The faults of the run as a whole; a run with a fault has failed.
    pub faults: Vec<Fault>,
    /// `uname -r` as the guest reported it.
    pub kernel: Option<String>,
    /// The announced tests, in their order.
    pub announced: Vec<String>,
    /// Those that must run while no other guest runs.
    pub alone: Vec<String>,
    /// The first report of each announced test.
    pub reports: Vec<TestReport>,
}

impl Verdict {
    /// The report of a test.
    #[must_use]
    pub fn report(&self, test: &str) -> Option<&TestReport> {
        self.reports.iter().find(|report| report.test == test)
    }
}

/// Judges a run by the records of its guests.
#[must_use]
pub fn judge(evidence: &[Evidence], expected: &Expected) -> Verdict {
    let guests = evidence.iter().map(|guest| judge_guest(guest, expected));
    union::unite(guests.collect(), evidence)
}

fn judge_guest(evidence: &Evidence, expected: &Expected) -> Verdict {
    let mut reader = LineJudge::new(expected, evidence.handed);
    for (index, line) in evidence.lines.iter().enumerate() {
        reader.line(index + 1, line);
    }
    let open = reader.open.clone();
    let mut verdict = reader.finish();
    // Causes come before consequences: splats, why the guest was stopped, and then what is missing.
    let mut faults: Vec<Fault> = console::splats(evidence.console)
        .into_iter()
        .map(|splat| Fault::Splat {
            splat,
            during: open.clone(),
        })
        .collect();
    faults.extend(evidence.stopped.map(|how| Fault::Stopped {
        how: how.to_owned(),
        during: open,
    }));
    // a guest that did not boot has a fault that says more
    if verdict.kernel.is_some() {
        let missing = console::missing_lines(evidence.console, expected.features);
        faults.extend(missing.into_iter().map(Fault::LineMissing));
    }
    faults.append(&mut verdict.faults);
    verdict.faults = faults;
    verdict
}

/// The position in the sequence of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    BeforeStart,
    Tests,
    AfterEnd,
}

/// Checks the guest's lines one by one.
struct LineJudge<'a> {
    expected: &'a Expected<'a>,
    /// The tests that the guest was handed.
    handed: &'a [String],
    phase: Phase,
    /// The test that has begun and is not reported yet.
    open: Option<String>,
    /// Number of reports of announced tests, repeated ones included.
    reported: usize,
    verdict: Verdict,
}

impl<'a> LineJudge<'a> {
    fn new(expected: &'a Expected<'a>, handed: &'a [String]) -> Self {
        Self {
            expected,
            handed,
            phase: Phase::BeforeStart,
            open: None,
            reported: 0,
            verdict: Verdict::default(),
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.verdict.faults.push(fault);
    }

    fn line(&mut self, number: usize, raw: &[u8]) {
        let Some(line) = raw.strip_suffix(b"\n") else {
            return self.fault(Fault::Cut {
                number,
                text: excerpt(raw),
            });
        };
        match (self.phase, serde_json::from_slice(line)) {
            (_, Err(error)) => self.unreadable(number, line, &error),
            (Phase::AfterEnd, Ok(_)) => self.fault(Fault::AfterEnd {
                number,
                text: excerpt(line),
            }),
            (
                Phase::BeforeStart,
                Ok(FromGuest::Start {
                    protocol,
                    kernel,
                    machine,
                    tests,
                    alone,
                    empty_objects,
                    cpus: _,
                }),
            ) => {
                self.start(protocol, kernel, &machine, empty_objects);
                self.announce(tests, alone);
            }
            (Phase::BeforeStart, Ok(_)) => self.fault(Fault::BeforeStart {
                number,
                text: excerpt(line),
            }),
            (Phase::Tests, Ok(FromGuest::Start { .. })) => {
                self.fault(Fault::SecondStart { number })
            }
            (Phase::Tests, Ok(FromGuest::TestStart { test })) => self.test_start(test),
            (Phase::Tests, Ok(FromGuest::Request { .. })) => self.request(number),
            (Phase::Tests, Ok(FromGuest::Test(report))) => self.test(report),
            (Phase::Tests, Ok(FromGuest::End { tests, leaks })) => self.end(tests, leaks),
        }
    }

    fn unreadable(&mut self, number: usize, line: &[u8], error: &serde_json::Error) {
        let other_protocol = serde_json::from_slice::<AnyStart>(line)
            .ok()
            .filter(|start| start.event == "start" && start.protocol != PROTOCOL);
        self.fault(match other_protocol {
            Some(start) => Fault::Protocol {
                guest: start.protocol,
            },
            None => Fault::Garbage {
                number,
                text: excerpt(line),
                error: error.to_string(),
            },
        });
    }

    fn start(&mut self, protocol: u32, kernel: String, machine: &str, empty_objects: Vec<String>) {
        self.phase = Phase::Tests;
        if protocol != PROTOCOL {
            self.fault(Fault::Protocol { guest: protocol });
        }
        if let Some(expected) = self.expected.release.filter(|expected| *expected != kernel) {
            self.fault(Fault::Kernel {
                expected: expected.to_owned(),
                seen: kernel.clone(),
            });
        }
        if machine != self.expected.machine {
            self.fault(Fault::Machine {
                expected: self.expected.machine.to_owned(),
                seen: machine.to_owned(),
            });
        }
        for object in empty_objects {
            self.fault(Fault::EmptyObject { object });
        }
        self.verdict.kernel = Some(kernel);
    }

    fn announce(&mut self, tests: Vec<String>, alone: Vec<String>) {
        if tests.is_empty() {
            self.fault(Fault::NoTests {
                filter: self.expected.filter.map(str::to_owned),
            });
        }
        for (index, test) in tests.iter().enumerate() {
            if tests[..index].contains(test) {
                self.fault(Fault::AnnouncedTwice { test: test.clone() });
            }
        }
        self.verdict.announced = tests;
        self.verdict.alone = alone;
    }

    fn test_start(&mut self, test: String) {
        if let Some(open) = self.open.replace(test.clone()) {
            self.fault(Fault::Interleaved { open, next: test });
        }
    }

    fn request(&mut self, number: usize) {
        if self.open.is_none() {
            self.fault(Fault::RequestOutsideTest { number });
        }
    }

    fn test(&mut self, report: TestReport) {
        let test = report.test.clone();
        let begun = self.open.take();
        if begun.as_ref() != Some(&test) {
            self.fault(Fault::NotBegun {
                test: test.clone(),
                begun,
            });
        }
        if !self.verdict.announced.contains(&test) {
            return self.fault(Fault::NotAnnounced { test });
        }
        if !self.handed.contains(&test) {
            self.fault(Fault::NotHanded { test: test.clone() });
        }
        if let Outcome::Skipped { feature } = &report.outcome
            && self.expected.features.contains(&feature.as_str())
        {
            self.fault(Fault::FeatureMissing {
                test: test.clone(),
                feature: feature.clone(),
            });
        }
        self.reported += 1;
        if self.verdict.report(&test).is_some() {
            self.fault(Fault::ReportedTwice { test });
        } else {
            self.verdict.reports.push(report);
        }
    }

    fn end(&mut self, said: usize, leaks: Option<String>) {
        self.phase = Phase::AfterEnd;
        match leaks {
            Some(listed) if !listed.trim().is_empty() => self.fault(Fault::Leak { listed }),
            None if self.expected.features.contains(&feature::KMEMLEAK) => {
                self.fault(Fault::NotScanned);
            }
            _ => {}
        }
        if said != self.reported {
            self.fault(Fault::Count {
                said,
                seen: self.reported,
            });
        }
    }

    fn finish(mut self) -> Verdict {
        if self.phase == Phase::BeforeStart {
            self.fault(Fault::NoStart);
            return self.verdict;
        }
        let missing = |test: &&String| self.verdict.report(test).is_none();
        let tests: Vec<String> = self.handed.iter().filter(missing).cloned().collect();
        if !tests.is_empty() {
            let died_in = self.open.clone();
            self.fault(Fault::NeverReported { tests, died_in });
        }
        if self.phase != Phase::AfterEnd {
            self.fault(Fault::NoEnd);
        }
        self.verdict
    }
}

/// The fields of a start line in every version of the protocol.
#[derive(Deserialize)]
struct AnyStart {
    event: String,
    protocol: u32,
}

/// The beginning of a line, as printable text.
fn excerpt(line: &[u8]) -> String {
    const LONGEST: usize = 160;
    let shown = line[..line.len().min(LONGEST)].escape_ascii();
    match line.len().saturating_sub(LONGEST) {
        0 => shown.to_string(),
        more => format!("{shown}… ({more} more bytes)"),
    }
}

#[cfg(test)]
mod tests;
