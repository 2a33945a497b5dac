// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The report of a run: a table of the tests, the failures, one verdict line, and files with the
//! details.

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
use crate::report::stages::StageTime;
use crate::vm::machine::Times;

mod environment;
mod events;
mod files;
mod result;

pub use environment::Environment;
pub use files::{CONSOLE_LINES, GuestFiles, RunFolder, last_times, write_files};
#[cfg(test)]
pub(super) use result::example;
pub use result::{RunResult, TestOutcome};

/// Everything known about a run after its end.
#[derive(Debug)]
pub struct Report {
    /// The verdict on the run as a whole.
    pub verdict: Verdict,
    /// The result of each test.
    pub tests: Vec<TestResult>,
    /// Snapshots that no test uses.
    pub unreferenced: Vec<Unreferenced>,
    /// Kernel, tools and machine of the run.
    pub environment: Environment,
    /// How long the guest ran.
    pub guest: Duration,
    /// How long everything took.
    pub total: Duration,
    /// The time of each stage.
    pub stages: Vec<StageTime>,
    /// How long each test took in earlier runs.
    pub earlier_times: Times,
}

impl Report {
    /// Whether the run has no fault, and at least one test passed and none failed.
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

    /// The failures, each with the next step; empty where the run passed. `console` has the last lines
    /// of the console, shown where the run itself failed; `last` is the folder of the details.
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
                "\nno test uses the snapshot {}: {why}\n  remove or rename it\n",
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

    /// The five slowest tests, if they take more than a fifth of the time of all tests; else empty. Of
    /// few tests, five always do.
    #[must_use]
    pub fn slowest(&self) -> String {
        const SLOWEST: usize = 5;
        let mut times: Vec<(u64, &str)> = self
            .tests
            .iter()
            .filter_map(|test| Some((test.report.as_ref()?.micros, test.name.as_str())))
            .collect();
        times.sort_unstable_by(|one, other| other.cmp(one));
        let sum = |times: &[(u64, &str)]| times.iter().map(|(micros, _)| micros).sum::<u64>();
        let (first, all) = (&times[..SLOWEST.min(times.len())], sum(&times));
        if times.len() < SLOWEST * SLOWEST || sum(first) * 5 <= all {
            return String::new();
        }
        let shown: Vec<String> = first
            .iter()
            .map(|(micros, name)| format!("{name} {}", seconds(Duration::from_micros(*micros))))
            .collect();
        format!(
            "slowest ({} % of the time of all tests): {}\n",
            sum(first) * 100 / all,
            shown.join(", ")
        )
    }

    /// One line: verdict, number of tests, kernel and times.
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
                .unwrap_or("an unknown kernel"),
            on.accelerator,
            seconds(self.guest),
            seconds(self.total)
        );
        if self.passed() {
            return format!("PASSED  {passed} of {all} tests{} {ran}", self.skipped());
        }
        let others = self.verdict.faults.len() + self.unreferenced.len();
        let others = if others == 0 {
            String::new()
        } else {
            format!(", {others} other failure(s)")
        };
        format!(
            "FAILED  {failed} of {all} tests{others}{} {ran}; see {}",
            self.skipped(),
            last.display()
        )
    }

    /// The number of skipped tests, with the missing features.
    fn skipped(&self) -> String {
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

    /// The report as data, for `JSON=file` and the nightly report. `console` has the last lines of the
    /// console.
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

/// The difference between the approved and the new text of a failed test, where it has both.
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

/// The end of the raw text of a failed test, about a screen.
fn raw(test: &TestResult, last: &Path) -> String {
    const LINES: usize = 40;
    let Some(report) = &test.report else {
        return String::new();
    };
    let text = snapshot::render_raw(report);
    let lines: Vec<&str> = text.lines().collect();
    let omitted = lines.len().saturating_sub(LINES);
    let mut out = String::from("  raw text:\n");
    if omitted > 0 {
        out.push_str(&format!(
            "    ({omitted} lines omitted; the whole text is in {}/streams)\n",
            last.display()
        ));
    }
    out + &indent(&lines[omitted..].join("\n"))
}

/// A row of the table.
struct TableRow {
    millis: String,
    returned: String,
    stdout: String,
    stderr: String,
    /// The reason of `__not_in_mainline`, in a run of mainline.
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
