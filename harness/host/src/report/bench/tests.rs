// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
use wire::{Bytes, Outcome, TestReport};

use super::*;

fn report(test: &str, outcome: Outcome, notes: &[&str]) -> TestReport {
    TestReport {
        test: test.to_owned(),
        outcome,
        stdout: Bytes::default(),
        stderr: Bytes::default(),
        not_in_mainline: None,
        notes: notes.iter().map(|&note| note.to_owned()).collect(),
        micros: 1,
    }
}

fn ran(test: &str, notes: &[&str]) -> TestReport {
    report(test, Outcome::Ran { retval: None }, notes)
}

fn refused(test: &str) -> TestReport {
    let log = "no such kfunc\nprocessed 3 insns\n".to_owned();
    report(test, Outcome::Rejected { errno: 22, log }, &[])
}

fn figures(base: &str, runs: Vec<Vec<TestReport>>) -> Figures {
    let mut figures = Figures::default();
    for reports in runs {
        let verdict = Verdict {
            announced: reports.iter().map(|report| report.test.clone()).collect(),
            reports,
            ..Verdict::default()
        };
        let environment = Environment {
            base: base.to_owned(),
            arch: "arm64".to_owned(),
            ..Environment::default()
        };
        figures.add(&verdict, &environment);
    }
    figures
}

/// A benchmark of one run: the tests with their notes.
pub(crate) fn bench(ours: &[(&str, &[&str])], mainline: &[(&str, &[&str])]) -> Bench {
    let run = |tests: &[(&str, &[&str])]| {
        let reports = tests.iter().map(|(test, notes)| ran(test, notes));
        vec![reports.collect()]
    };
    Bench {
        ours: figures("v6.12", run(ours)),
        mainline: (!mainline.is_empty()).then(|| figures("mainline", run(mainline))),
    }
}

#[test]
fn figures_are_shown_with_mainline_and_the_ratio() {
    let bench = bench(
        &[
            ("a__x", &["620400 instructions"]),
            ("a__y", &["7040 instructions"]),
        ],
        &[("a__x", &["1240400 instructions"])],
    );
    assert_eq!(bench.troubles(), [""; 0]);
    let table = table(&bench, &aims::Aims::default());
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "instructions         v6.12      mainline  ratio  aim",
            "a__x                   620          1240   0.50",
            "a__y                   7.0             -      -",
        ]
    );
}

#[test]
fn a_missing_figure_is_a_problem_with_its_reason() {
    let rejected = figures("v6.12", vec![vec![refused("a__x")]]);
    let trouble = rejected.troubles().join("\n");
    assert!(
        trouble.contains("a__x: rejected with errno 22: no such kfunc"),
        "{trouble}"
    );
    let garbage = figures("v6.12", vec![vec![ran("a__x", &["many"])]]);
    assert!(garbage.troubles()[0].contains("`many` is not a figure"));
    assert_eq!(Figures::default().troubles().len(), 1);
}

#[test]
fn a_figure_that_mainline_lacks_is_a_problem_of_the_series_only() {
    let mut marked = refused("a__x");
    marked.not_in_mainline = Some("it has none".to_owned());
    let run = vec![vec![marked, ran("a__y", &["1 x"])]];
    assert!(figures("mainline", run.clone()).troubles().is_empty());
    assert_eq!(figures("v6.12", run).troubles().len(), 1);
}

#[test]
fn the_spread_is_the_largest_of_all_figures() {
    let run = |x: &str| vec![ran("a__x", &[x]), ran("a__y", &["5 prints"])];
    let runs = ["1000 instructions", "990 instructions", "995 instructions"];
    let ours = figures("v6.12", runs.iter().map(|x| run(x)).collect());
    assert_eq!((ours.runs, ours.rows[0].median()), (3, 995));
    let line = table::line(&ours);
    assert!(line.contains("3 runs, which differ by 1.000 % at most in instructions and by 0 %"));
}

#[test]
fn a_figure_that_is_missing_in_a_run_is_a_problem() {
    let ours = figures(
        "v6.12",
        vec![
            vec![ran("a__x", &["1 x @ 1 CPUs", "1 x @ 2 CPUs"])],
            vec![ran("a__x", &["1 x @ 1 CPUs"])],
        ],
    );
    assert_eq!(ours.troubles(), ["v6.12: a__x, 2 CPUs is missing in a run"]);
}

#[test]
fn a_selection_without_a_test_is_no_problem_but_a_failed_run_is() {
    let mut ours = figures("v6.12", vec![vec![ran("a__x", &["1 x"])]]);
    let run = |fault| Verdict {
        faults: vec![fault],
        ..Verdict::default()
    };
    let environment = ours.environment.clone();
    let filter = Some("a__".to_owned());
    ours.add(&run(Fault::NoTests { filter }), &environment);
    assert_eq!(ours.troubles(), [""; 0]);
    ours.add(&run(Fault::NoStart), &environment);
    assert_eq!(ours.troubles().len(), 1);
}
