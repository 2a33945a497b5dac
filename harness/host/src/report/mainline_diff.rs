// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Compares a run of the series with a run of mainline, test by test.
//!
//! A difference needs a reason in the file of the test (`__not_in_mainline`); one without a reason
//! fails.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::env::diff;
use crate::report::run_report::{RunResult, TestOutcome};

/// How the text of a test in mainline relates to that of the series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Equal texts.
    Same,
    /// The test ran in mainline with a different text; with the reason, if its file has one.
    Different(Option<String>),
    /// Mainline lacks what the test uses; with the reason, if its file has one.
    NotThere(Option<String>),
    /// One of the two did not run: a feature or the test is missing.
    NotCompared(&'static str),
}

impl Relation {
    fn of(ours: Option<&TestOutcome>, mainline: Option<&TestOutcome>) -> Relation {
        let (Some(ours), Some(mainline)) = (ours, mainline) else {
            return Relation::NotCompared("one of the runs lacks the test");
        };
        if ours.skipped.is_some() || mainline.skipped.is_some() {
            return Relation::NotCompared("a guest lacks a feature that the test needs");
        }
        let why = mainline.not_in_mainline.clone();
        match (&ours.text, &mainline.text) {
            (Some(one), Some(other)) if one == other => Relation::Same,
            (Some(_), Some(_)) if ran(mainline) || !ran(ours) => Relation::Different(why),
            _ => Relation::NotThere(why),
        }
    }

    /// Whether there is a difference without a reason.
    #[must_use]
    pub fn is_unexplained(&self) -> bool {
        matches!(self, Relation::Different(None) | Relation::NotThere(None))
    }

    /// The relation and its reason, in words.
    #[must_use]
    pub fn words(&self) -> (&'static str, &str) {
        const NO_REASON: &str = "NO REASON: correct the series, or add __not_in_mainline(\"…\")";
        match self {
            Relation::Same => ("same", ""),
            Relation::Different(why) => ("different", why.as_deref().unwrap_or(NO_REASON)),
            Relation::NotThere(why) => ("not there", why.as_deref().unwrap_or(NO_REASON)),
            Relation::NotCompared(why) => ("not compared", why),
        }
    }
}

/// Whether the program was loaded and ran.
fn ran(test: &TestOutcome) -> bool {
    let outcome = test.outcome.as_deref().unwrap_or_default();
    outcome.starts_with("returned") || outcome == "triggered"
}

/// A test in both runs.
#[derive(Clone, Debug)]
pub struct TestDiff<'a> {
    /// `<file>__<program>`.
    pub name: &'a str,
    /// The relation of the two texts.
    pub relation: Relation,
    ours: Option<&'a str>,
    mainline: Option<&'a str>,
}

/// Every test of either run, ordered by name.
#[must_use]
pub fn rows<'a>(ours: &'a RunResult, mainline: &'a RunResult) -> Vec<TestDiff<'a>> {
    let all = ours.tests.iter().chain(&mainline.tests);
    let names: BTreeSet<&str> = all.map(|test| test.test.as_str()).collect();
    let find = |run: &'a RunResult, name: &str| run.tests.iter().find(|test| test.test == name);
    let row = |name: &'a str| {
        let (ours, mainline) = (find(ours, name), find(mainline, name));
        TestDiff {
            name,
            relation: Relation::of(ours, mainline),
            ours: ours.and_then(|test| test.text.as_deref()),
            mainline: mainline.and_then(|test| test.text.as_deref()),
        }
    };
    names.into_iter().map(row).collect()
}

/// The table, one line per test.
#[must_use]
pub fn table(rows: &[TestDiff<'_>]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut out = format!("{:width$}  mainline\n", "test");
    for row in rows {
        let (relation, why) = row.relation.words();
        let line = format!("{:width$}  {relation:12}  {why}", row.name);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// The differences of the texts, series (`-`) and mainline (`+`).
#[must_use]
pub fn differences(rows: &[TestDiff<'_>]) -> String {
    const AROUND: usize = 3;
    let mut out = String::new();
    for row in rows.iter().filter(|row| row.relation != Relation::Same) {
        let (Some(ours), Some(mainline)) = (row.ours, row.mainline) else {
            continue;
        };
        let lines = diff::lines(ours, mainline, AROUND);
        let _ = write!(
            out,
            "\n{}: - series, + mainline\n{}",
            row.name,
            diff::text(&lines)
        );
    }
    out
}

/// The number of tests in each relation, in one line.
#[must_use]
pub fn counts(rows: &[TestDiff<'_>]) -> String {
    let count =
        |which: fn(&Relation) -> bool| rows.iter().filter(|row| which(&row.relation)).count();
    let unexplained = match count(Relation::is_unexplained) {
        0 => String::new(),
        some => format!("; {some} without a reason"),
    };
    format!(
        "{} the same, {} different, {} not there, {} not compared{unexplained}",
        count(|relation| *relation == Relation::Same),
        count(|relation| matches!(relation, Relation::Different(_))),
        count(|relation| matches!(relation, Relation::NotThere(_))),
        count(|relation| matches!(relation, Relation::NotCompared(_))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, outcome: &str, text: &str) -> TestOutcome {
        TestOutcome {
            test: name.to_owned(),
            outcome: Some(outcome.to_owned()),
            text: Some(text.to_owned()),
            ..TestOutcome::default()
        }
    }

    fn marked(mut test: TestOutcome) -> TestOutcome {
        test.not_in_mainline = Some("it has none".to_owned());
        test
    }

    fn run(tests: Vec<TestOutcome>) -> RunResult {
        RunResult {
            tests,
            ..RunResult::default()
        }
    }

    fn relation(ours: TestOutcome, mainline: TestOutcome) -> Relation {
        let (ours, mainline) = (run(vec![ours]), run(vec![mainline]));
        rows(&ours, &mainline)[0].relation.clone()
    }

    #[test]
    fn a_text_is_the_same_different_or_not_there() {
        let ours = || test("a__x", "returned 0", "text");
        let why = || Some("it has none".to_owned());
        assert_eq!(relation(ours(), ours()), Relation::Same);
        let other = || test("a__x", "returned 0", "other");
        assert_eq!(relation(ours(), other()), Relation::Different(None));
        let known = Relation::Different(why());
        assert_eq!(relation(ours(), marked(other())), known);
        assert!(!known.is_unexplained());
        let refused = || test("a__x", "rejected -EINVAL", "no such kfunc");
        assert_eq!(relation(ours(), refused()), Relation::NotThere(None));
        assert_eq!(
            relation(ours(), marked(refused())),
            Relation::NotThere(why())
        );
    }

    #[test]
    fn another_message_of_the_verifier_is_a_difference() {
        let ours = test("a__x", "rejected -EINVAL", "words");
        let mainline = test("a__x", "rejected -EINVAL", "other words");
        assert_eq!(relation(ours, mainline), Relation::Different(None));
    }

    #[test]
    fn a_test_that_one_run_lacks_is_not_compared() {
        let (one, two) = (run(vec![test("a__x", "returned 0", "")]), run(Vec::new()));
        let rows = rows(&one, &two);
        assert!(matches!(rows[0].relation, Relation::NotCompared(_)));
        assert!(counts(&rows).ends_with("1 not compared"));
    }

    #[test]
    fn a_difference_without_a_reason_is_marked_and_shown() {
        let ours = run(vec![
            test("a__x", "returned 0", "one\ntwo\n"),
            test("a__y", "returned 0", "same\n"),
        ]);
        let mainline = run(vec![
            test("a__x", "returned 0", "one\n2\n"),
            test("a__y", "returned 0", "same\n"),
        ]);
        let rows = rows(&ours, &mainline);
        let table = table(&rows);
        assert!(table.contains("a__x  different     NO REASON"), "{table}");
        assert!(table.ends_with("a__y  same\n"), "{table}");
        let shown = differences(&rows);
        assert!(
            shown.contains("-two\n+2\n") && !shown.contains("a__y"),
            "{shown}"
        );
        assert!(counts(&rows).contains("1 the same, 1 different"));
    }
}
