// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The result of a run for machines: what `JSON=file` gets, and what a nightly report is made of.

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
    /// Whether everything that was to be shown was shown.
    pub passed: bool,
    /// What came of each test, in the order in which they were announced.
    pub tests: Vec<TestOutcome>,
    /// What is wrong with the run as a whole, each with what to do next.
    pub faults: Vec<String>,
    /// Snapshots that no test is held against, each with the reason.
    pub unreferenced: Vec<String>,
    /// The last lines of the console; empty where the run passed.
    pub console: Vec<String>,
    /// How long the guest ran.
    pub guest_seconds: f64,
    /// How long all of it took.
    pub total_seconds: f64,
    /// What the run was made with.
    pub environment: Environment,
}

/// What came of one test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestOutcome {
    /// `<file>__<program>`.
    pub test: String,
    /// Whether it did what was approved.
    pub passed: bool,
    /// Why it has failed, if it has.
    pub failure: Option<String>,
    /// The feature that it needs and the guest lacks, where it was left out for that.
    pub skipped: Option<String>,
    /// Why mainline does otherwise, where it was run and the test's file says so.
    pub not_in_mainline: Option<String>,
    /// How it ended, in a few words; this and what follows only where it was reported.
    pub outcome: Option<String>,
    /// Bytes read from its stdout.
    pub stdout_bytes: Option<usize>,
    /// Bytes read from its stderr.
    pub stderr_bytes: Option<usize>,
    /// Wall time in the guest, in microseconds.
    pub micros: Option<u64>,
    /// The text that is held against its snapshot, with what varies replaced by names.
    pub text: Option<String>,
    /// The text that was approved, where it failed because it differs.
    pub approved: Option<String>,
    /// The end of the text with nothing replaced, where it failed.
    pub raw: Option<String>,
}

impl RunResult {
    /// How many of the tests that were run have passed, as a reader says it.
    #[must_use]
    pub fn counts(&self) -> String {
        let good = self.tests.iter().filter(|test| test.passed).count();
        let left_out = self.tests.iter().filter(|test| test.left_out());
        match (left_out.count(), self.tests.len()) {
            (0, all) => format!("{good} of {all}"),
            (left_out, all) => format!("{good} of {}, {left_out} left out", all - left_out),
        }
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
    /// Whether it was not reported, not carried out, or did what was not approved; a test that was
    /// left out has neither passed nor failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        !self.passed && !self.left_out()
    }

    /// Whether what it shows is not to be had here: a feature that the guest lacks, or mainline does
    /// otherwise.
    #[must_use]
    pub fn left_out(&self) -> bool {
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
            // a text that is too large to be held against a snapshot is shown raw
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

/// A raw text may be as large as a stream; nobody reads more than this of it in a report.
const MOST_RAW: usize = 32 * 1024;

/// The last [`MOST_RAW`] bytes of a text, in whole lines where it has any.
fn end_of(text: String) -> String {
    let Some(from) = text.len().checked_sub(MOST_RAW).filter(|&from| from > 0) else {
        return text;
    };
    let letter = |at: &usize| text.is_char_boundary(*at);
    let from = (from..text.len()).find(letter).unwrap_or(text.len());
    let line = text[from..].find('\n').map_or(from, |end| from + end + 1);
    format!("({line} bytes left out)\n{}", &text[line..])
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
        assert_eq!(
            head,
            format!("({} bytes left out)", long.len() - rest.len())
        );
    }

    #[test]
    fn one_long_line_is_cut_between_letters() {
        assert!(end_of("é".repeat(MOST_RAW)).len() <= MOST_RAW + 64);
    }
}
