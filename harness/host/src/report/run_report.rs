// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Tells what came of a run: a table of the tests, what is wrong, one verdict line, and files for
//! who wants to look closer.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use wire::Outcome;

use crate::env::diff;
use crate::env::progress::seconds;
use crate::judge::per_test::TestResult;
use crate::judge::snapshot::{self, Unreferenced};
use crate::judge::verdict::Verdict;

mod environment;
mod events;
mod files;
mod result;

pub use environment::Environment;
pub use files::{CONSOLE_LINES, RunFolder, write_files};
pub use result::{RunResult, TestOutcome};

/// Everything that is known of a run when it is over.
#[derive(Debug)]
pub struct Report {
    /// What the run as a whole amounts to.
    pub verdict: Verdict,
    /// What came of each test.
    pub tests: Vec<TestResult>,
    /// Snapshots that no test is held against.
    pub unreferenced: Vec<Unreferenced>,
    /// What the run was made with.
    pub environment: Environment,
    /// How long the guest ran.
    pub guest: Duration,
    /// How long all of it took.
    pub total: Duration,
}

impl Report {
    /// Whether everything that was to be shown was shown.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdict.faults.is_empty()
            && self.unreferenced.is_empty()
            && self.tests.iter().any(TestResult::passed)
            && !self.tests.iter().any(TestResult::failed)
    }

    /// The table of tests.
    #[must_use]
    pub fn table(&self) -> String {
        let widest = |text: fn(&TestResult) -> &str| {
            let widths = self.tests.iter().map(|test| text(test).len());
            widths.max().unwrap_or(0)
        };
        let width = widest(|test| &test.name);
        let verdicts = widest(verdict_of).max("verdict".len() + 1);
        let mut out = format!(
            "{:width$}  {:verdicts$}  {:>8}  {:>13}  {:>6}  {:>6}\n",
            "test", "verdict", "ms", "returned", "stdout", "stderr"
        );
        for test in &self.tests {
            let verdict = verdict_of(test);
            let row = TableRow::of(test);
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "{:width$}  {verdict:verdicts$}  {:>8}  {:>13}  {:>6}  {:>6}{}",
                test.name, row.millis, row.returned, row.stdout, row.stderr, row.why
            );
        }
        out
    }

    /// What is wrong, each with what to do next; empty where all is well. `console` are the last
    /// lines of the console, shown where the run itself has failed, and `last` is the folder that
    /// holds the rest.
    #[must_use]
    pub fn failures(&self, console: &[String], last: &Path) -> String {
        let mut out = String::new();
        for test in self.tests.iter().filter(|test| test.report.is_some()) {
            if let Some(failure) = &test.failure {
                out.push_str(&format!(
                    "\n{} failed: {failure}\n{}{}",
                    test.name,
                    difference(test),
                    raw(test, last)
                ));
            }
        }
        for fault in &self.verdict.faults {
            out.push_str(&format!("\nthe run failed: {fault}\n"));
        }
        for Unreferenced { path, why } in &self.unreferenced {
            out.push_str(&format!(
                "\nthe snapshot {} is used by no test: {why}\n  remove or rename it\n",
                path.display()
            ));
        }
        if !self.verdict.faults.is_empty() && !console.is_empty() {
            out.push_str("\nthe last lines of the console:\n");
            console
                .iter()
                .for_each(|line| out.push_str(&format!("    {line}\n")));
        }
        out
    }

    /// One line: whether all is well, how much was tested, on what, and how long it took.
    #[must_use]
    pub fn verdict_line(&self, last: &Path) -> String {
        let all = self.tests.len();
        let count =
            |which: fn(&TestResult) -> bool| self.tests.iter().filter(|test| which(test)).count();
        let (passed, failed) = (count(TestResult::passed), count(TestResult::failed));
        let on = &self.environment;
        let ran = format!(
            "on {}, {}, {} ({} in the guest, {} in all)",
            on.arch,
            self.verdict
                .kernel
                .as_deref()
                .unwrap_or("no kernel that spoke"),
            on.accelerator,
            seconds(self.guest),
            seconds(self.total)
        );
        if self.passed() {
            return format!(
                "PASSED  {passed} of {all} selftests{} {ran}",
                self.left_out()
            );
        }
        let others = self.verdict.faults.len() + self.unreferenced.len();
        let others = if others == 0 {
            String::new()
        } else {
            format!(", {others} other failure(s)")
        };
        format!(
            "FAILED  {failed} of {all} selftests{others}{} {ran}; see {}",
            self.left_out(),
            last.display()
        )
    }

    /// How many tests were left out, and for what.
    fn left_out(&self) -> String {
        let missing: Vec<&str> = self
            .tests
            .iter()
            .filter_map(|test| test.skipped.as_deref())
            .collect();
        let features: BTreeSet<&str> = missing.iter().copied().collect();
        let features: Vec<&str> = features.into_iter().collect();
        let mut out = String::new();
        if !missing.is_empty() {
            out = format!(", {} skipped ({})", missing.len(), features.join(", "));
        }
        let differing = self
            .tests
            .iter()
            .filter(|test| test.not_in_mainline.is_some());
        match differing.count() {
            0 => out,
            count => format!("{out}, {count} not in mainline"),
        }
    }

    /// The same for machines, and for a nightly report. `console` are its last lines.
    #[must_use]
    pub fn result(&self, console: &[String]) -> RunResult {
        RunResult::of(self, console)
    }
}

fn verdict_of(test: &TestResult) -> &'static str {
    if test.failed() {
        "FAILED"
    } else if test.skipped.is_some() {
        "SKIP"
    } else if test.not_in_mainline.is_some() {
        "not in mainline"
    } else {
        "ok"
    }
}

/// The difference between what was approved and what a failed test did, where it has both.
fn difference(test: &TestResult) -> String {
    const AROUND: usize = 3;
    let report = test.report.as_ref();
    let text = report.and_then(|report| snapshot::render(report).ok());
    let (Some(approved), Some(text)) = (&test.approved, text) else {
        return String::new();
    };
    let lines = diff::lines(approved, &text, AROUND);
    format!("  difference:\n{}", indent(&diff::text(&lines)))
}

fn indent(text: &str) -> String {
    let indented = |line| format!("    {line}").trim_end().to_owned() + "\n";
    text.lines().map(indented).collect()
}

/// The raw text of a failed test, as far as it fits a screen.
fn raw(test: &TestResult, last: &Path) -> String {
    const LINES: usize = 40;
    let Some(report) = &test.report else {
        return String::new();
    };
    let text = snapshot::render_raw(report);
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(LINES);
    let mut out = String::from("  raw text:\n");
    if skipped > 0 {
        out.push_str(&format!(
            "    ({skipped} lines left out; all of it is in {}/streams)\n",
            last.display()
        ));
    }
    out + &indent(&lines[skipped..].join("\n"))
}

/// A test as the table shows it.
struct TableRow {
    millis: String,
    returned: String,
    stdout: String,
    stderr: String,
    /// Why mainline does otherwise, where it was run and does.
    why: String,
}

impl TableRow {
    fn of(test: &TestResult) -> Self {
        let Some(report) = &test.report else {
            let none = || "-".to_owned();
            return Self {
                millis: none(),
                returned: none(),
                stdout: none(),
                stderr: none(),
                why: String::new(),
            };
        };
        Self {
            millis: format!("{}.{}", report.micros / 1000, report.micros % 1000 / 100),
            returned: match &report.outcome {
                Outcome::Ran {
                    retval: Some(value),
                } => value.to_string(),
                Outcome::Ran { retval: None } => "-".to_owned(),
                Outcome::Rejected { errno, .. } => format!("rejected {errno}"),
                Outcome::Skipped { .. } | Outcome::Failed { .. } => "no run".to_owned(),
            },
            stdout: report.stdout.0.len().to_string(),
            stderr: report.stderr.0.len().to_string(),
            why: test
                .not_in_mainline
                .as_ref()
                .map_or_else(String::new, |why| format!("  {why}")),
        }
    }
}

#[cfg(test)]
mod tests;
