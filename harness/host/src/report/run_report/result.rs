// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The result of a run as data: the content of `JSON=file`, and the input of the nightly report.

use serde::{Deserialize, Serialize};
use wire::Outcome;

use super::{Environment, Report};
use crate::env::errno;
use crate::judge::per_test::TestResult;
use crate::judge::snapshot;

/// The result of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// Whether the run has no fault, and at least one test passed and none failed.
    pub passed: bool,
    /// The result of each test, in announced order.
    pub tests: Vec<TestOutcome>,
    /// The faults of the run as a whole, each with the next step.
    pub faults: Vec<String>,
    /// Snapshots that no test uses, each with the reason.
    pub unreferenced: Vec<String>,
    /// The last lines of the console; empty where the run passed.
    pub console: Vec<String>,
    /// How long the guest ran.
    pub guest_seconds: f64,
    /// How long everything took.
    pub total_seconds: f64,
    /// Kernel, tools and machine of the run.
    pub environment: Environment,
}

/// The result of one test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestOutcome {
    /// `<file>__<program>`.
    pub test: String,
    /// Whether the test gave the approved text.
    pub passed: bool,
    /// Why the test failed; none where it did not.
    pub failure: Option<String>,
    /// The missing feature because of which the test was skipped.
    pub skipped: Option<String>,
    /// The reason of `__not_in_mainline`, in a run of mainline.
    pub not_in_mainline: Option<String>,
    /// The outcome in a few words; this and the following fields are set only for a reported test.
    pub outcome: Option<String>,
    /// Bytes of stdout.
    pub stdout_bytes: Option<usize>,
    /// Bytes of stderr.
    pub stderr_bytes: Option<usize>,
    /// Wall time in the guest, in microseconds.
    pub micros: Option<u64>,
    /// The normalised text that is compared with the snapshot.
    pub text: Option<String>,
    /// The approved text, where the test failed and has a snapshot.
    pub approved: Option<String>,
    /// The end of the raw text, where the test failed.
    pub raw: Option<String>,
}

impl RunResult {
    /// The number of passed tests of those that ran, in words.
    #[must_use]
    pub fn counts(&self) -> String {
        let good = self.tests.iter().filter(|test| test.passed).count();
        let skipped = self.tests.iter().filter(|test| test.is_skipped());
        match (skipped.count(), self.tests.len()) {
            (0, all) => format!("{good} of {all}"),
            (skipped, all) => format!("{good} of {}, {skipped} skipped", all - skipped),
        }
    }

    /// The tests of each file of `selftests/`, in announced order.
    #[must_use]
    pub fn by_file(&self) -> Vec<(&str, Vec<&TestOutcome>)> {
        let mut files: Vec<(&str, Vec<&TestOutcome>)> = Vec::new();
        for test in &self.tests {
            let (file, _) = snapshot::split(&test.test);
            match files.iter_mut().find(|(known, _)| *known == file) {
                Some((_, tests)) => tests.push(test),
                None => files.push((file, vec![test])),
            }
        }
        files
    }

    /// What is wrong with the run as a whole: faults and unreferenced snapshots.
    pub fn wrong_with_run(&self) -> impl Iterator<Item = &str> {
        let wrong = self.faults.iter().chain(&self.unreferenced);
        wrong.map(String::as_str)
    }

    pub(super) fn of(report: &Report, console: &[String]) -> Self {
        let passed = report.passed();
        Self {
            passed,
            tests: report.tests.iter().map(TestOutcome::of).collect(),
            faults: report
                .verdict
                .faults
                .iter()
                .map(ToString::to_string)
                .collect(),
            unreferenced: report
                .unreferenced
                .iter()
                .map(|file| format!("{}: {}", file.path.display(), file.why))
                .collect(),
            console: if passed { Vec::new() } else { console.to_vec() },
            guest_seconds: report.guest.as_secs_f64(),
            total_seconds: report.total.as_secs_f64(),
            environment: report.environment.clone(),
        }
    }
}

impl TestOutcome {
    /// Whether the test was not reported, could not run, or differs from its snapshot.
    #[must_use]
    pub fn failed(&self) -> bool {
        !self.passed && !self.is_skipped()
    }

    /// Whether the test was skipped or is marked `__not_in_mainline`: it neither passed nor failed.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        self.skipped.is_some() || self.not_in_mainline.is_some()
    }

    fn of(test: &TestResult) -> Self {
        let report = test.report.as_ref();
        let failed = test.failed();
        Self {
            test: test.name.clone(),
            passed: test.passed(),
            failure: test.failure.clone(),
            skipped: test.skipped.clone(),
            not_in_mainline: test.not_in_mainline.clone(),
            outcome: report.map(|report| describe(&report.outcome)),
            stdout_bytes: report.map(|report| report.stdout.0.len()),
            stderr_bytes: report.map(|report| report.stderr.0.len()),
            micros: report.map(|report| report.micros),
            // a text that is too large for a snapshot is shown raw
            text: report
                .filter(|_| test.skipped.is_none())
                .and_then(|report| snapshot::render(report).ok()),
            approved: test.approved.clone(),
            raw: report
                .filter(|_| failed)
                .map(|report| end_of(snapshot::render_raw(report))),
        }
    }
}

/// Most bytes of a raw text in a report.
const MOST_RAW: usize = 32 * 1024;

/// The last [`MOST_RAW`] bytes of a text, in whole lines if possible.
fn end_of(text: String) -> String {
    let Some(from) = text.len().checked_sub(MOST_RAW).filter(|&from| from > 0) else {
        return text;
    };
    let letter = |at: &usize| text.is_char_boundary(*at);
    let from = (from..text.len()).find(letter).unwrap_or(text.len());
    let line = text[from..].find('\n').map_or(from, |end| from + end + 1);
    format!("({line} bytes omitted)\n{}", &text[line..])
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ran {
            retval: Some(value),
        } => format!("returned {}", errno::describe(*value)),
        Outcome::Ran { retval: None } => "triggered".to_owned(),
        Outcome::Rejected { errno, .. } => {
            format!("rejected {}", errno::describe(-i64::from(*errno)))
        }
        Outcome::Skipped { feature } => format!("SKIP: {feature}"),
        Outcome::Failed { .. } => "failed".to_owned(),
    }
}

/// A result with a failure, a skipped test and a fault, for the tests of its formats.
#[cfg(test)]
pub(crate) fn example() -> RunResult {
    let test = |name: &str| TestOutcome {
        test: name.to_owned(),
        passed: true,
        micros: Some(1000),
        ..TestOutcome::default()
    };
    RunResult {
        tests: vec![
            test("a__x"),
            TestOutcome {
                passed: false,
                failure: Some("it differs".to_owned()),
                raw: Some("returned: 1 <&>\n".to_owned()),
                ..test("a__y")
            },
            TestOutcome {
                passed: false,
                skipped: Some("moon".to_owned()),
                ..test("a__z")
            },
            test("b__b"),
        ],
        faults: vec!["no end line\n  see the console".to_owned()],
        guest_seconds: 5.0,
        total_seconds: 6.5,
        environment: Environment {
            base: "v6.12".to_owned(),
            arch: "x86_64".to_owned(),
            config: "plain".to_owned(),
            ..Environment::default()
        },
        ..RunResult::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_end_in_whole_lines() {
        assert_eq!(end_of("short\n".to_owned()), "short\n");
        let long: String = (0..10_000).map(|line| format!("line {line} é\n")).collect();
        let end = end_of(long.clone());
        let (head, rest) = end.split_once('\n').unwrap();
        assert!(
            rest.len() <= MOST_RAW && rest.starts_with("line "),
            "{head}"
        );
        assert!(long.ends_with(rest));
        assert_eq!(head, format!("({} bytes omitted)", long.len() - rest.len()));
    }

    #[test]
    fn one_long_line_is_cut_between_letters() {
        assert!(end_of("é".repeat(MOST_RAW)).len() <= MOST_RAW + 64);
    }
}
