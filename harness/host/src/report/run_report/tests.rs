// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A report passes only without any failure, and shows each failure.

use std::path::PathBuf;

use wire::{Bytes, TestReport};

use super::*;
use crate::judge::verdict::Fault;

fn test(name: &str, failure: Option<&str>) -> TestResult {
    TestResult {
        name: name.to_owned(),
        report: Some(TestReport {
            test: name.to_owned(),
            outcome: Outcome::Ran { retval: Some(-28) },
            stdout: Bytes(b"ffff888103a1c008\n\xff\n".to_vec()),
            stderr: Bytes(Vec::new()),
            not_in_mainline: None,
            notes: Vec::new(),
            micros: 1234,
        }),
        failure: failure.map(str::to_owned),
        skipped: None,
        not_in_mainline: None,
        approved: None,
        kernel: Vec::new(),
    }
}

fn good() -> Report {
    Report {
        verdict: Verdict {
            kernel: Some("6.12.117-bpf-streams".to_owned()),
            ..Verdict::default()
        },
        tests: vec![test("a__x", None), test("a__longer", None)],
        unreferenced: Vec::new(),
        environment: Environment {
            arch: "x86_64".to_owned(),
            accelerator: "TCG".to_owned(),
            ..Environment::default()
        },
        guest: Duration::from_millis(5300),
        total: Duration::from_millis(6900),
        stages: Vec::new(),
        earlier_times: Times::new(),
    }
}

/// The files of a guest that wrote these lines.
fn guest<'a>(folder: &Path, lines: &[&'a [u8]], console: &'a [u8]) -> GuestFiles<'a> {
    GuestFiles {
        folder: folder.to_owned(),
        lines: lines.to_vec(),
        console,
    }
}

fn last() -> &'static Path {
    Path::new("build/v6.12/x86_64/last")
}

#[test]
fn a_passed_run_is_one_line() {
    let report = good();
    assert!(report.passed());
    assert_eq!(
        report.verdict_line(last()),
        "PASSED  2 of 2 tests on x86_64, 6.12.117-bpf-streams, TCG (5.3 s in the guest, 6.9 s in all)"
    );
    assert_eq!(
        report.failures(&["a line of the console".to_owned()], last()),
        ""
    );
}

#[test]
fn the_table_has_a_row_for_each_test() {
    let mut report = good();
    report.tests.push(TestResult {
        name: "a__lost".to_owned(),
        report: None,
        failure: Some("never".to_owned()),
        skipped: None,
        not_in_mainline: None,
        approved: None,
        kernel: Vec::new(),
    });
    let want = "\
test       verdict         ms       returned  stdout  stderr
a__x       ok             1.2            -28      19       0
a__longer  ok             1.2            -28      19       0
a__lost    FAILED           -              -       -       -
";
    assert_eq!(report.table(), want);
}

#[test]
fn the_slowest_tests_are_shown_if_they_take_more_than_a_fifth() {
    let mut report = good();
    report.tests = (0..25).map(|i| test(&format!("a__{i}"), None)).collect();
    assert_eq!(report.slowest(), "", "all take the same time");
    report.tests[7].report.as_mut().unwrap().micros = 2_500_000;
    assert_eq!(
        report.slowest(),
        "slowest (99 % of the time of all tests): a__7 2.5 s, a__9 0.0 s, a__8 0.0 s, a__6 0.0 s, \
         a__5 0.0 s\n"
    );
    report.tests.truncate(24);
    assert_eq!(report.slowest(), "", "five of 24 tests take a fifth anyway");
}

/// The count in the verdict line, the change to the report, and the shown failure.
type Spoilt = (&'static str, fn(&mut Report), &'static str);

#[test]
fn every_failure_fails_the_report_and_is_shown() {
    let spoilt: [Spoilt; 5] = [
        (
            "1 of 2 tests on",
            |report| report.tests[1].failure = Some("it differs".to_owned()),
            "a__longer failed: it differs",
        ),
        (
            "1 of 2 tests on",
            |report| report.tests[0].report = None,
            "",
        ),
        (
            "0 of 2 tests, 1 other",
            |report| report.verdict.faults.push(Fault::NoEnd),
            "the end line is missing",
        ),
        (
            "0 of 2 tests, 1 other",
            |report| {
                report.unreferenced.push(Unreferenced {
                    path: PathBuf::from("old.snap"),
                    why: "no test",
                })
            },
            "no test uses the snapshot old.snap: no test",
        ),
        ("0 of 0 tests", |report| report.tests.clear(), ""),
    ];
    for (counts, spoil, said) in spoilt {
        let mut report = good();
        spoil(&mut report);
        assert!(!report.passed(), "{counts}");
        let line = report.verdict_line(last());
        assert!(
            line.starts_with("FAILED")
                && line.contains(counts)
                && line.ends_with("see build/v6.12/x86_64/last"),
            "{line}"
        );
        assert!(report.failures(&[], last()).contains(said), "{said}");
        let json = serde_json::to_value(report.result(&[])).unwrap();
        assert_eq!(json["passed"], false);
    }
}

#[test]
fn a_failed_test_shows_its_raw_text() {
    let mut report = good();
    report.tests[0].failure = Some("it differs".to_owned());
    let said = report.failures(&[], last());
    assert!(
        said.contains("returned: -28 (ENOSPC)")
            && said.contains("| ffff888103a1c008\n    | \\xff\n"),
        "{said}"
    );
}

#[test]
fn a_test_that_differs_shows_the_difference() {
    let mut report = good();
    report.tests[0].failure = Some("it differs".to_owned());
    report.tests[0].approved =
        Some("returned: 0\n\nstdout:\n| <addr1>\n| \\xff\n\nstderr: empty".to_owned());
    let said = report.failures(&[], last());
    let difference = "  difference:\n    -returned: 0\n    +returned: -28 (ENOSPC)\n\n     stdout:\n     | <addr1>\n";
    assert!(said.contains(difference), "{said}");
}

#[test]
fn a_long_raw_text_shows_its_end_and_where_the_rest_is() {
    let mut report = good();
    report.tests[0].failure = Some("it is too large".to_owned());
    let text: String = (0..500).map(|line| format!("line {line}\n")).collect();
    report.tests[0].report.as_mut().unwrap().stdout = Bytes(text.into_bytes());
    let said = report.failures(&[], last());
    assert!(said.lines().count() < 60, "{said}");
    assert!(
        said.contains("| line 499\n") && said.contains("build/v6.12/x86_64/last/streams"),
        "{said}"
    );
}

#[test]
fn a_failed_run_shows_the_end_of_the_console() {
    let mut report = good();
    report.verdict.faults.push(Fault::NoStart);
    let said = report.failures(&["[    1.000000] the last words".to_owned()], last());
    assert!(
        said.contains("the last lines of the console:\n    [    1.000000] the last words\n"),
        "{said}"
    );
}

#[test]
fn the_result_is_available_as_json() {
    let json = serde_json::to_value(good().result(&[])).unwrap();
    assert_eq!(json["passed"], true);
    assert_eq!(json["tests"][0]["test"], "a__x");
    assert_eq!(json["tests"][0]["outcome"], "returned -28 (ENOSPC)");
    assert_eq!(json["tests"][0]["stdout_bytes"], 19);
    assert_eq!(json["environment"]["arch"], "x86_64");
    let read: RunResult = serde_json::from_value(json).unwrap();
    assert_eq!(read, good().result(&[]));
}

#[test]
fn the_result_of_a_failure_has_the_texts() {
    let console = ["a line of the console".to_owned()];
    assert!(good().result(&console).console.is_empty());
    let mut report = good();
    report.tests[0].failure = Some("it differs".to_owned());
    report.tests[0].approved = Some("returned: 0".to_owned());
    let result = report.result(&console);
    assert_eq!(result.console, console);
    let [bad, good] = &result.tests[..] else {
        panic!("{result:?}");
    };
    assert_eq!(bad.approved.as_deref(), Some("returned: 0"));
    assert!(
        bad.text
            .as_ref()
            .is_some_and(|text| text.contains("<addr1>"))
    );
    assert!(
        bad.raw
            .as_ref()
            .is_some_and(|raw| raw.contains("ffff888103a1c008"))
    );
    assert!(good.text == bad.text && good.raw.is_none());
}

#[test]
fn files_hold_the_received_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let lines: [&[u8]; 2] = [b"{\"event\":\n", b"\xff cut"];
    let guest = guest(dir.path(), &lines, b"console \xff\n");
    write_files(dir.path(), &[guest], &[], &good()).unwrap();
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    assert_eq!(read("events.jsonl"), b"{\"event\":\n\xff cut");
    assert_eq!(read("console.log"), b"console \xff\n");
    assert_eq!(read("streams/a__x.stdout"), b"ffff888103a1c008\n\xff\n");
    assert_eq!(read("streams/a__x.stderr"), b"");
    let environment: serde_json::Value = serde_json::from_slice(&read("environment.json")).unwrap();
    assert_eq!(environment["accelerator"], "TCG");
}

#[test]
fn several_guests_have_a_folder_each() {
    let dir = tempfile::tempdir().unwrap();
    let folders = ["guest-1", "guest-2"].map(|name| dir.path().join(name));
    for folder in &folders {
        std::fs::create_dir(folder).unwrap();
    }
    let guests = [
        guest(&folders[0], &[b"one\n"], b"first"),
        guest(&folders[1], &[b"two\n"], b"second"),
    ];
    write_files(dir.path(), &guests, &[], &good()).unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(read("guest-1/events.jsonl"), "one\n");
    assert_eq!(read("guest-2/console.log"), "second");
    assert!(read("result.json").contains("a__x"));
    assert!(!dir.path().join("console.log").exists());
}

#[test]
fn the_times_of_tests_outlive_a_run_of_a_selection() {
    let build = tempfile::tempdir().unwrap();
    let run = |report: &Report| {
        let folder = RunFolder::create(build.path()).unwrap();
        write_files(folder.path(), &[], &[], report).unwrap();
        folder.publish().unwrap();
        last_times(build.path())
    };
    assert_eq!(last_times(build.path()), Times::new());
    let mut report = good();
    report.earlier_times = [("a__old".to_owned(), 7), ("a__x".to_owned(), 8)].into();
    let of_run = Times::from([("a__longer".to_owned(), 1234), ("a__x".to_owned(), 1234)]);
    assert_eq!(run(&report), of_run);
    report.environment.selection = Some("^a__".to_owned());
    let mut all = of_run.clone();
    all.insert("a__old".to_owned(), 7);
    assert_eq!(run(&report), all);
}

#[test]
fn kernel_reports_follow_the_line_of_their_test() {
    let dir = tempfile::tempdir().unwrap();
    let mut report = good();
    let stderr =
        b"CPU: 0 UID: 0 PID: 7 Comm: x\nCall trace:\nbpf_prog_0123456789abcdef_x+0x1/0x2\n\n\
        ... 3 further reports were suppressed\n";
    report.tests[0].kernel = reports::parse(stderr).unwrap();
    let line = |test: &TestResult| {
        let event = wire::FromGuest::Test(test.report.clone().unwrap());
        serde_json::to_vec(&event).map(|line| [&line[..], b"\n"].concat())
    };
    let lines: Vec<Vec<u8>> = report
        .tests
        .iter()
        .map(line)
        .collect::<Result<_, _>>()
        .unwrap();
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    write_files(dir.path(), &[guest(dir.path(), &lines, b"")], &[], &report).unwrap();
    let text = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let seen: Vec<_> = events
        .iter()
        .map(|event| (&event["event"], &event["test"]))
        .collect();
    assert_eq!(
        format!("{seen:?}").replace("String", ""),
        r#"[(("test"), ("a__x")), (("kernel_report"), ("a__x")), (("reports_suppressed"), ("a__x")), (("test"), ("a__longer"))]"#
    );
    assert_eq!(events[1]["kind"], "stack");
    assert_eq!(events[1]["frames"][0]["program"]["name"], "x");
    assert_eq!(events[2]["count"], 3);
}

/// The table of a run with a skipped second test, whose verdict line counts it in these words.
fn table_without_second(leave_out: impl FnOnce(&mut TestResult), counted: &str) -> String {
    let mut report = good();
    leave_out(&mut report.tests[1]);
    assert!(report.passed());
    let line = report.verdict_line(last());
    let begins = format!("PASSED  1 of 2 tests, {counted} on x86_64");
    assert!(line.starts_with(&begins), "{line}");
    report.table()
}

#[test]
fn a_skipped_test_is_counted_separately() {
    let table = table_without_second(
        |test| test.skipped = Some("fault_injection".to_owned()),
        "1 skipped (fault_injection)",
    );
    assert!(table.contains("a__longer  SKIP"), "{table}");
}

#[test]
fn a_test_not_in_mainline_is_counted_separately_with_its_reason() {
    let table = table_without_second(
        |test| test.not_in_mainline = Some("it keeps no count".to_owned()),
        "1 not in mainline",
    );
    assert!(table.contains("a__longer  not in mainline"), "{table}");
    assert!(table.contains("it keeps no count"), "{table}");
}

#[test]
fn a_run_that_skipped_every_test_fails() {
    let mut report = good();
    for test in &mut report.tests {
        test.skipped = Some("fault_injection".to_owned());
    }
    assert!(!report.passed());
}
