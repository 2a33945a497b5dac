// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The data of the report's templates: by cell, by failure, by test.

use std::time::Duration;

use anyhow::Result;

use super::{CellRecord, Nightly};
use crate::env::diff::{self, Line};
use crate::env::progress::seconds;
use crate::queue::base::REFERENCE;
use crate::report::mainline_diff::{self, Relation};
use crate::report::matrix::Cell;
use crate::report::run_report::{Environment, RunResult, TestOutcome};

mod measured;

use measured::Measured;

/// Context lines of a difference.
const AROUND: usize = 10;

/// The data of the templates.
#[derive(Debug)]
pub struct View<'a> {
    pub date: String,
    pub passed: bool,
    pub headline: String,
    pub commit: Option<String>,
    pub took: String,
    pub cells: Vec<CellView<'a>>,
    pub failures: Vec<Failure<'a>>,
    pub comparisons: Vec<MainlineComparison<'a>>,
    pub measured: Vec<Measured<'a>>,
    pub files: Vec<File<'a>>,
    pub setup: Vec<Setup<'a>>,
}

/// The result of the set-up in a new root.
#[derive(Debug)]
pub struct Setup<'a> {
    pub name: &'a str,
    pub passed: bool,
    pub took: String,
    pub output: &'a [String],
    pub again: String,
}

/// The comparison of a cell with the mainline cell of the same architecture and configuration.
#[derive(Debug)]
pub struct MainlineComparison<'a> {
    pub cells: Vec<usize>,
    pub counts: String,
    /// The tests that differ: name, relation, reason.
    pub rows: Vec<(&'a str, &'static str, String)>,
}

/// A cell and its faults.
#[derive(Debug)]
pub struct CellView<'a> {
    pub number: usize,
    pub id: String,
    pub name: String,
    /// A short name.
    pub short: String,
    pub record: &'a CellRecord,
    pub passed: bool,
    pub selftests: String,
    pub kernel: &'a str,
    pub accelerator: &'a str,
    pub guest: String,
    pub took: String,
    /// The task of the cell.
    pub task: &'static str,
    pub rerun: String,
    pub troubles: Vec<&'a str>,
    pub unreferenced: &'a [String],
    pub failed: Vec<&'a str>,
    pub console: &'a [String],
    pub environment: Vec<(&'static str, String)>,
}

/// Tests that failed for the same reason, with their cells.
#[derive(Debug)]
pub struct Failure<'a> {
    pub id: String,
    pub tests: Vec<&'a str>,
    pub cells: Vec<usize>,
    pub why: &'a str,
    pub diff: Vec<Line>,
    pub text: Option<&'a str>,
    pub raw: Option<&'a str>,
    key: Key<'a>,
}

/// The key of equal failures: the test, its text and the approved text; or only the reason where there
/// is no text.
type Key<'a> = (Option<&'a str>, &'a str, Option<&'a str>, Option<&'a str>);

/// The tests of one file.
#[derive(Debug)]
pub struct File<'a> {
    pub name: &'a str,
    pub selftests: Vec<Selftest<'a>>,
}

/// A test in every cell.
#[derive(Debug)]
pub struct Selftest<'a> {
    pub id: String,
    pub test: &'a str,
    pub program: &'a str,
    pub passed: bool,
    pub marks: Vec<Mark<'a>>,
    pub texts: Vec<SharedText<'a>>,
}

/// A test in one cell.
#[derive(Debug)]
pub struct Mark<'a> {
    pub cell: String,
    pub state: CellState,
    pub outcome: &'a str,
    pub why: Option<String>,
    pub time: String,
    pub bytes: String,
}

/// The result of a test in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellState {
    Passed,
    Failed,
    /// Skipped for a missing feature, or marked `__not_in_mainline`.
    Skipped,
    /// The cell has no such test.
    Absent,
}

impl CellState {
    pub fn sign(self) -> &'static str {
        match self {
            CellState::Passed => "✓",
            CellState::Failed => "✗",
            CellState::Skipped => "○",
            CellState::Absent => "–",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            CellState::Passed => "passed",
            CellState::Failed => "failed",
            CellState::Skipped => "skipped",
            CellState::Absent => "absent",
        }
    }
}

/// A text, and the cells that have it.
#[derive(Debug)]
pub struct SharedText<'a> {
    pub cells: Vec<usize>,
    pub text: &'a str,
}

impl<'a> View<'a> {
    /// The view of a sanitised report.
    pub fn of(nightly: &'a Nightly) -> Result<Self> {
        let records = &nightly.cells;
        let took = records.iter().map(|record| record.seconds).sum();
        Ok(Self {
            date: nightly.date.replacen('T', " ", 1).replacen('Z', " UTC", 1),
            passed: nightly.passed,
            headline: headline(nightly),
            commit: records
                .iter()
                .find_map(|record| commit(environment(record)?)),
            took: seconds(duration(took)),
            cells: (1..)
                .zip(records)
                .map(|(number, record)| cell(number, record))
                .collect(),
            failures: failures(records),
            comparisons: comparisons(records),
            measured: measured(nightly)?,
            files: files(records),
            setup: nightly
                .setup
                .iter()
                .map(|record| Setup {
                    name: &record.name,
                    passed: record.passed,
                    took: seconds(record.time()),
                    output: &record.output,
                    again: format!("make setup-test SUITE={}", record.name),
                })
                .collect(),
        })
    }
}

/// The figures of the cells with a benchmark.
fn measured(nightly: &Nightly) -> Result<Vec<Measured<'_>>> {
    let mut all = Vec::new();
    for (number, record) in (1..).zip(&nightly.cells) {
        if let Some(bench) = &record.bench {
            let name = record.cell.to_string();
            all.push(Measured::of(number, &name, bench, &nightly.history)?);
        }
    }
    Ok(all)
}

/// Compares every cell of a series with mainline's cell, where both have a result.
fn comparisons(records: &[CellRecord]) -> Vec<MainlineComparison<'_>> {
    let mut pairs = Vec::new();
    for (at, record) in (1..).zip(records) {
        for (other, mainline) in (1..).zip(records) {
            let (one, two) = (&record.cell, &mainline.cell);
            if two.base == REFERENCE
                && one.base != REFERENCE
                && (&one.arch, &one.config) == (&two.arch, &two.config)
                && let (Some(ours), Some(theirs)) = (&record.result, &mainline.result)
            {
                pairs.push(MainlineComparison::of(vec![at, other], ours, theirs));
            }
        }
    }
    pairs
}

impl<'a> MainlineComparison<'a> {
    fn of(cells: Vec<usize>, ours: &'a RunResult, mainline: &'a RunResult) -> Self {
        let rows = mainline_diff::rows(ours, mainline);
        Self {
            cells,
            counts: mainline_diff::counts(&rows),
            rows: rows
                .iter()
                .filter(|row| row.relation != Relation::Same)
                .map(|row| {
                    let (how, why) = row.relation.words();
                    (row.name, how, why.to_owned())
                })
                .collect(),
        }
    }
}

fn headline(nightly: &Nightly) -> String {
    let all = nightly.cells.len();
    let failed = nightly
        .cells
        .iter()
        .filter(|record| !record.passed())
        .count();
    let cells = match (all, failed) {
        (0, _) => "No cell ran".to_owned(),
        (1, 0) => "The cell passed".to_owned(),
        (_, 0) => format!("All {all} cells passed"),
        (1, _) => "The cell failed".to_owned(),
        _ => format!("{failed} of {all} cells failed"),
    };
    if nightly.setup.iter().all(|record| record.passed) {
        cells
    } else {
        format!("{cells}, the set-up failed")
    }
}

fn environment(record: &CellRecord) -> Option<&Environment> {
    record.result.as_ref().map(|result| &result.environment)
}

fn commit(environment: &Environment) -> Option<String> {
    let commit = environment.commit.as_ref()?;
    let short: String = commit.chars().take(12).collect();
    Some(match environment.dirty {
        Some(true) => format!("{short} with changes"),
        _ => short,
    })
}

fn cell(number: usize, record: &CellRecord) -> CellView<'_> {
    let result = record.result.as_ref();
    let tests = result.map_or(&[][..], |result| &result.tests[..]);
    let troubles = record.trouble.iter();
    let faults = result.iter().flat_map(|result| &result.faults);
    CellView {
        number,
        id: id("cell", &record.cell.to_string()),
        name: record.cell.to_string(),
        short: short(&record.cell),
        record,
        passed: record.passed(),
        selftests: result.map_or_else(|| "–".to_owned(), RunResult::counts),
        kernel: environment(record).map_or("–", |on| &on.kernel),
        accelerator: environment(record).map_or("–", |on| &on.accelerator),
        guest: result.map_or_else(
            || "–".to_owned(),
            |result| seconds(duration(result.guest_seconds)),
        ),
        took: seconds(duration(record.seconds)),
        task: match record.cell.is_series() {
            true => "check-series",
            false => "boot-test",
        },
        rerun: rerun(&record.cell),
        troubles: troubles.chain(faults).map(String::as_str).collect(),
        unreferenced: result.map_or(&[], |result| &result.unreferenced),
        failed: tests
            .iter()
            .filter(|test| test.failed())
            .map(|test| test.test.as_str())
            .collect(),
        console: result.map_or(&[], |result| &result.console),
        environment: environment(record).map_or_else(Vec::new, describe),
    }
}

/// The command that repeats a cell.
fn rerun(cell: &Cell) -> String {
    let Cell { base, arch, config } = cell;
    match cell.is_series() {
        true => format!("make check-series BASE={base}"),
        false => format!("make boot-test BASE={base} ARCH={arch} CONFIG={config}"),
    }
}

/// Architecture and configuration; for mainline, also the base.
fn short(cell: &Cell) -> String {
    let Cell { base, arch, config } = cell;
    match base.as_str() {
        REFERENCE => format!("{base} {arch} {config}"),
        _ => format!("{arch} {config}"),
    }
}

fn describe(on: &Environment) -> Vec<(&'static str, String)> {
    let commit = on.commit.clone().unwrap_or_else(|| "unknown".to_owned());
    let changes = match on.dirty {
        Some(true) => "with uncommitted changes",
        Some(false) => "none",
        None => "unknown",
    };
    vec![
        ("date", on.date.clone()),
        ("kernel", on.kernel.clone()),
        (
            "source",
            on.package.clone().unwrap_or_else(|| "external".to_owned()),
        ),
        ("compiler of the kernel", on.compiler.clone()),
        ("compiler of the selftests", on.clang.clone()),
        ("QEMU", on.qemu.clone()),
        ("virtme-ng", on.virtme_ng.clone()),
        ("accelerator", on.accelerator.clone()),
        ("commit", commit),
        ("changes", changes.to_owned()),
        ("repeat with", on.repeat.clone()),
    ]
}

fn failures(records: &[CellRecord]) -> Vec<Failure<'_>> {
    let mut found: Vec<Failure> = Vec::new();
    for (number, test) in numbered_tests(records).filter(|(_, test)| test.failed()) {
        let key = key(test);
        match found.iter_mut().find(|failure| failure.key == key) {
            Some(failure) => failure.join(number, test),
            None => found.push(Failure::of(number, test, key)),
        }
    }
    found
}

impl<'a> Failure<'a> {
    fn of(number: usize, test: &'a TestOutcome, key: Key<'a>) -> Self {
        let (_, why, text, approved) = key;
        Self {
            id: id("failure", &test.test),
            tests: vec![&test.test],
            cells: vec![number],
            why,
            diff: match (approved, text) {
                (Some(approved), Some(text)) => diff::lines(approved, text, AROUND),
                _ => Vec::new(),
            },
            text,
            raw: test.raw.as_deref(),
            key,
        }
    }

    fn join(&mut self, number: usize, test: &'a TestOutcome) {
        if !self.cells.contains(&number) {
            self.cells.push(number);
        }
        if !self.tests.contains(&test.test.as_str()) {
            self.tests.push(&test.test);
        }
    }
}

fn key(test: &TestOutcome) -> Key<'_> {
    let name = test.outcome.is_some().then_some(test.test.as_str());
    let why = test
        .failure
        .as_deref()
        .unwrap_or("the guest never reported it");
    (name, why, test.text.as_deref(), test.approved.as_deref())
}

fn files(records: &[CellRecord]) -> Vec<File<'_>> {
    let mut files: Vec<File> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (_, test) in numbered_tests(records) {
        if seen.contains(&test.test.as_str()) {
            continue;
        }
        seen.push(&test.test);
        let (name, program) = test.test.split_once("__").unwrap_or(("", &test.test));
        let selftest = selftest(records, &test.test, program);
        match files.iter_mut().find(|file| file.name == name) {
            Some(file) => file.selftests.push(selftest),
            None => files.push(File {
                name,
                selftests: vec![selftest],
            }),
        }
    }
    files
}

fn selftest<'a>(records: &'a [CellRecord], test: &'a str, program: &'a str) -> Selftest<'a> {
    let of_cell = |record: &'a CellRecord| {
        let result = record.result.as_ref()?;
        result.tests.iter().find(|outcome| outcome.test == test)
    };
    let marks: Vec<Mark> = records
        .iter()
        .map(|record| mark(record, of_cell(record)))
        .collect();
    let mut texts: Vec<SharedText> = Vec::new();
    for (number, record) in (1..).zip(records) {
        let Some(text) = of_cell(record).and_then(|outcome| outcome.text.as_deref()) else {
            continue;
        };
        match texts.iter_mut().find(|known| known.text == text) {
            Some(known) => known.cells.push(number),
            None => texts.push(SharedText {
                cells: vec![number],
                text,
            }),
        }
    }
    Selftest {
        id: id("selftest", test),
        test,
        program,
        passed: marks.iter().all(|mark| mark.state != CellState::Failed),
        marks,
        texts,
    }
}

fn mark<'a>(record: &CellRecord, test: Option<&'a TestOutcome>) -> Mark<'a> {
    let state = match test {
        Some(test) if test.failed() => CellState::Failed,
        Some(test) if test.is_skipped() => CellState::Skipped,
        Some(_) => CellState::Passed,
        None => CellState::Absent,
    };
    let bytes = |bytes: Option<usize>| bytes.map_or_else(|| "–".to_owned(), |n| n.to_string());
    Mark {
        cell: record.cell.to_string(),
        state,
        outcome: test.map_or("not run", |test| {
            test.outcome.as_deref().unwrap_or("not reported")
        }),
        why: test.and_then(why_skipped),
        time: test
            .and_then(|test| test.micros)
            .map_or_else(String::new, time),
        bytes: test.map_or_else(
            || "–".to_owned(),
            |test| {
                format!(
                    "{} / {}",
                    bytes(test.stdout_bytes),
                    bytes(test.stderr_bytes)
                )
            },
        ),
    }
}

fn why_skipped(test: &TestOutcome) -> Option<String> {
    let needs = test.skipped.as_ref().map(|what| format!("needs {what}"));
    let not_there = |why: &String| format!("not in mainline: {why}");
    needs.or_else(|| test.not_in_mainline.as_ref().map(not_there))
}

fn numbered_tests(records: &[CellRecord]) -> impl Iterator<Item = (usize, &TestOutcome)> {
    (1..).zip(records).flat_map(|(number, record)| {
        let tests = record.result.iter().flat_map(|result| &result.tests);
        tests.map(move |test| (number, test))
    })
}

/// The time of a test: `0.4 ms`, `31 ms`, `1.2 s`.
fn time(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

/// A time from a file; invalid values become 0.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// An anchor for a name.
pub(super) fn id(kind: &str, name: &str) -> String {
    let safe = name.chars().map(|letter| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.' => letter,
        _ => '-',
    });
    format!("{kind}-{}", safe.collect::<String>())
}

#[cfg(test)]
mod tests;
