// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The data that the templates get.

use super::*;

fn test(name: &str, text: &str) -> TestOutcome {
    TestOutcome {
        test: name.to_owned(),
        passed: true,
        outcome: Some("returned 0".to_owned()),
        micros: Some(1234),
        text: Some(text.to_owned()),
        ..TestOutcome::default()
    }
}

fn failed(mut test: TestOutcome, why: &str) -> TestOutcome {
    test.passed = false;
    test.failure = Some(why.to_owned());
    test
}

fn lost(name: &str) -> TestOutcome {
    TestOutcome {
        test: name.to_owned(),
        failure: Some("the guest never reported it".to_owned()),
        ..TestOutcome::default()
    }
}

fn record(config: &str, tests: Vec<TestOutcome>) -> CellRecord {
    CellRecord {
        cell: Cell {
            base: "v6.12".to_owned(),
            arch: "x86_64".to_owned(),
            config: config.to_owned(),
        },
        result: Some(RunResult {
            passed: tests.iter().all(|test| test.passed),
            tests,
            ..RunResult::default()
        }),
        ..CellRecord::default()
    }
}

#[test]
fn equal_texts_are_shown_once() {
    let nightly = Nightly::new(vec![
        record("plain", vec![test("a__x", "one"), test("b__y", "same")]),
        record("debug", vec![test("a__x", "two"), test("b__y", "same")]),
        record("kcsan", vec![test("b__y", "same")]),
    ]);
    let view = View::of(&nightly).unwrap();
    let names: Vec<&str> = view.files.iter().map(|file| file.name).collect();
    assert_eq!(names, ["a", "b"]);
    let (x, y) = (&view.files[0].selftests[0], &view.files[1].selftests[0]);
    let cells = |selftest: &Selftest| -> Vec<Vec<usize>> {
        selftest
            .texts
            .iter()
            .map(|text| text.cells.clone())
            .collect()
    };
    assert_eq!(cells(x), [[1], [2]]);
    assert_eq!(cells(y), [[1, 2, 3]]);
    let states: Vec<CellState> = x.marks.iter().map(|mark| mark.state).collect();
    assert_eq!(
        states,
        [CellState::Passed, CellState::Passed, CellState::Absent]
    );
}

#[test]
fn equal_failures_of_several_cells_are_one() {
    let differs = || {
        let mut test = failed(test("a__x", "stdout:\n| new\n"), "it differs");
        test.approved = Some("stdout:\n| old".to_owned());
        test
    };
    let mut other = differs();
    other.text = Some("stdout:\n| third\n".to_owned());
    let nightly = Nightly::new(vec![
        record("plain", vec![differs()]),
        record("debug", vec![differs()]),
        record("kcsan", vec![other]),
    ]);
    let view = View::of(&nightly).unwrap();
    let cells: Vec<&[usize]> = view
        .failures
        .iter()
        .map(|failure| &failure.cells[..])
        .collect();
    assert_eq!(cells, [&[1, 2][..], &[3]]);
    assert_eq!(
        diff::text(&view.failures[0].diff),
        " stdout:\n-| old\n+| new\n"
    );
    assert_eq!(view.headline, "3 of 3 cells failed");
}

#[test]
fn unreported_tests_are_one_failure() {
    let tests = vec![test("a__x", "text"), lost("a__y"), lost("b__z")];
    let nightly = Nightly::new(vec![record("plain", tests)]);
    let view = View::of(&nightly).unwrap();
    assert_eq!(view.failures.len(), 1);
    assert_eq!(view.failures[0].tests, ["a__y", "b__z"]);
    assert_eq!(view.cells[0].selftests, "1 of 3");
}

#[test]
fn a_skipped_test_is_counted_and_not_a_failure() {
    let mut out = test("a__y", "");
    out.passed = false;
    out.skipped = Some("fault_injection".to_owned());
    let mut plain = record("plain", vec![test("a__x", "text"), out]);
    if let Some(result) = &mut plain.result {
        result.passed = true;
    }
    let nightly = Nightly::new(vec![plain]);
    let view = View::of(&nightly).unwrap();
    assert!(view.passed && view.failures.is_empty() && view.cells[0].failed.is_empty());
    assert_eq!(view.cells[0].selftests, "1 of 1, 1 skipped");
    let mark = &view.files[0].selftests[1].marks[0];
    assert_eq!(
        (mark.state, mark.why.as_deref()),
        (CellState::Skipped, Some("needs fault_injection"))
    );
}

#[test]
fn cells_are_compared_with_mainline_of_the_same_architecture() {
    let ours = record("plain", vec![test("a__x", "ours"), test("a__y", "same")]);
    let mut other = test("a__x", "mainline's");
    other.not_in_mainline = Some("it has none".to_owned());
    let mut mainline = record("plain", vec![other, test("a__y", "same")]);
    mainline.cell.base = "mainline".to_owned();
    let nightly = Nightly::new(vec![ours, mainline, record("debug", Vec::new())]);
    let view = View::of(&nightly).unwrap();
    assert_eq!(view.comparisons.len(), 1);
    assert_eq!(view.comparisons[0].cells, [1, 2]);
    let rows = &view.comparisons[0].rows;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].0, rows[0].2.as_str()), ("a__x", "it has none"));
    assert!(view.cells[1].short.starts_with("mainline "));
}

#[test]
fn times_have_two_digits() {
    let shown = [400, 9_950, 31_400, 1_250_000].map(time);
    assert_eq!(shown, ["0.4 ms", "9.9 ms", "31 ms", "1.2 s"]);
}

#[test]
fn every_name_gives_an_anchor() {
    assert_eq!(id("cell", "v6.12-x"), "cell-v6.12-x");
    assert_eq!(id("cell", "\"><b> ü"), "cell----b---");
}
