// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Ours beside mainline: two runs of the same selftests, test by test.
//!
//! What mainline does otherwise has a reason in the test's own file (`__not_in_mainline`); a
//! difference without one is a finding.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::env::diff;
use crate::report::run_report::{RunResult, TestOutcome};

/// How mainline's text of a test stands to ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// To the letter.
    Same,
    /// It was run there and did otherwise; with the reason, where its file gives one.
    Different(Option<String>),
    /// What it is about is not in mainline; with the reason, where its file gives one.
    NotThere(Option<String>),
    /// One of the two was not run: a feature is missing, or a run does not know the test.
    NotCompared(&'static str),
}

impl Standing {
    fn of(ours: Option<&TestOutcome>, mainline: Option<&TestOutcome>) -> Standing {
        let (Some(ours), Some(mainline)) = (ours, mainline) else {
            return Standing::NotCompared("one of the runs does not know it");
        };
        if ours.skipped.is_some() || mainline.skipped.is_some() {
            return Standing::NotCompared("a guest lacks what it needs");
        }
        let why = mainline.not_in_mainline.clone();
        match (&ours.text, &mainline.text) {
            (Some(one), Some(other)) if one == other => Standing::Same,
            (Some(_), Some(_)) if ran(mainline) || !ran(ours) => Standing::Different(why),
            _ => Standing::NotThere(why),
        }
    }

    /// Whether nobody has said why.
    #[must_use]
    pub fn is_unexplained(&self) -> bool {
        matches!(self, Standing::Different(None) | Standing::NotThere(None))
    }

    /// How it stands, and why, in words.
    #[must_use]
    pub fn words(&self) -> (&'static str, &str) {
        const NOBODY: &str = "NOBODY HAS SAID WHY: mend it, or say __not_in_mainline(\"…\")";
        match self {
            Standing::Same => ("same", ""),
            Standing::Different(why) => ("different", why.as_deref().unwrap_or(NOBODY)),
            Standing::NotThere(why) => ("not there", why.as_deref().unwrap_or(NOBODY)),
            Standing::NotCompared(why) => ("not compared", why),
        }
    }
}

/// Whether the program was loaded and did something.
fn ran(test: &TestOutcome) -> bool {
    let outcome = test.outcome.as_deref().unwrap_or_default();
    outcome.starts_with("returned") || outcome == "triggered"
}

/// A test beside itself.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// `<file>__<program>`.
    pub name: &'a str,
    /// How the two stand.
    pub standing: Standing,
    ours: Option<&'a str>,
    mainline: Option<&'a str>,
}

/// Every test of either run, in the order of their names.
#[must_use]
pub fn rows<'a>(ours: &'a RunResult, mainline: &'a RunResult) -> Vec<Row<'a>> {
    let all = ours.tests.iter().chain(&mainline.tests);
    let names: BTreeSet<&str> = all.map(|test| test.test.as_str()).collect();
    let find = |run: &'a RunResult, name: &str| run.tests.iter().find(|test| test.test == name);
    let row = |name: &'a str| {
        let (ours, mainline) = (find(ours, name), find(mainline, name));
        Row {
            name,
            standing: Standing::of(ours, mainline),
            ours: ours.and_then(|test| test.text.as_deref()),
            mainline: mainline.and_then(|test| test.text.as_deref()),
        }
    };
    names.into_iter().map(row).collect()
}

/// The table, a line a test.
#[must_use]
pub fn table(rows: &[Row<'_>]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut out = format!("{:width$}  mainline\n", "test");
    for row in rows {
        let (standing, why) = row.standing.words();
        let line = format!("{:width$}  {standing:12}  {why}", row.name);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// What differs in the text of each test, ours (`-`) and mainline's (`+`).
#[must_use]
pub fn differences(rows: &[Row<'_>]) -> String {
    const AROUND: usize = 3;
    let mut out = String::new();
    for row in rows.iter().filter(|row| row.standing != Standing::Same) {
        let (Some(ours), Some(mainline)) = (row.ours, row.mainline) else {
            continue;
        };
        let lines = diff::lines(ours, mainline, AROUND);
        let _ = write!(
            out,
            "\n{}: - ours, + mainline\n{}",
            row.name,
            diff::text(&lines)
        );
    }
    out
}

/// How many tests stand how, in a line.
#[must_use]
pub fn counts(rows: &[Row<'_>]) -> String {
    let count =
        |which: fn(&Standing) -> bool| rows.iter().filter(|row| which(&row.standing)).count();
    let unexplained = match count(Standing::is_unexplained) {
        0 => String::new(),
        some => format!("; {some} of these nobody has explained"),
    };
    format!(
        "{} the same, {} different, {} not there, {} not compared{unexplained}",
        count(|standing| *standing == Standing::Same),
        count(|standing| matches!(standing, Standing::Different(_))),
        count(|standing| matches!(standing, Standing::NotThere(_))),
        count(|standing| matches!(standing, Standing::NotCompared(_))),
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

    fn standing(ours: TestOutcome, mainline: TestOutcome) -> Standing {
        let (ours, mainline) = (run(vec![ours]), run(vec![mainline]));
        rows(&ours, &mainline)[0].standing.clone()
    }

    #[test]
    fn a_text_is_the_same_different_or_not_there() {
        let ours = || test("a__x", "returned 0", "text");
        let why = || Some("it has none".to_owned());
        assert_eq!(standing(ours(), ours()), Standing::Same);
        let other = || test("a__x", "returned 0", "other");
        assert_eq!(standing(ours(), other()), Standing::Different(None));
        let known = Standing::Different(why());
        assert_eq!(standing(ours(), marked(other())), known);
        assert!(!known.is_unexplained());
        let refused = || test("a__x", "rejected -EINVAL", "no such kfunc");
        assert_eq!(standing(ours(), refused()), Standing::NotThere(None));
        assert_eq!(
            standing(ours(), marked(refused())),
            Standing::NotThere(why())
        );
    }

    #[test]
    fn other_words_of_the_verifier_are_a_difference() {
        let ours = test("a__x", "rejected -EINVAL", "words");
        let mainline = test("a__x", "rejected -EINVAL", "other words");
        assert_eq!(standing(ours, mainline), Standing::Different(None));
    }

    #[test]
    fn what_one_run_does_not_know_is_not_compared() {
        let (one, two) = (run(vec![test("a__x", "returned 0", "")]), run(Vec::new()));
        let rows = rows(&one, &two);
        assert!(matches!(rows[0].standing, Standing::NotCompared(_)));
        assert!(counts(&rows).ends_with("1 not compared"));
    }

    #[test]
    fn the_table_says_what_nobody_has_explained_and_the_difference_shows_it() {
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
        assert!(table.contains("a__x  different     NOBODY"), "{table}");
        assert!(table.ends_with("a__y  same\n"), "{table}");
        let shown = differences(&rows);
        assert!(
            shown.contains("-two\n+2\n") && !shown.contains("a__y"),
            "{shown}"
        );
        assert!(counts(&rows).contains("1 the same, 1 different"));
    }
}
