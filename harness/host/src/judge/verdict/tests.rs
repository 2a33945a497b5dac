// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A good run has no fault; each defect gives its own fault.

use wire::{Bytes, Outcome, Request};

use super::*;

mod death;
mod each_test;
mod features;
mod guests;
mod lines;
mod start;

const EXPECTED: Expected = Expected {
    release: Some("6.12.117-bpf-streams"),
    machine: "x86_64",
    filter: None,
    features: &[],
};

fn line(event: &FromGuest) -> Vec<u8> {
    let mut line = serde_json::to_vec(event).unwrap();
    line.push(b'\n');
    line
}

fn start_with(
    protocol: u32,
    kernel: &str,
    machine: &str,
    tests: &[&str],
    empty: &[&str],
) -> Vec<u8> {
    line(&FromGuest::Start {
        protocol,
        kernel: kernel.to_owned(),
        machine: machine.to_owned(),
        cpus: 2,
        tests: owned(tests),
        alone: Vec::new(),
        empty_objects: owned(empty),
    })
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The distinct tests of the first line, all of which a single guest gets.
fn announced(lines: &[Vec<u8>]) -> Vec<String> {
    let first = lines.first().map(|line| serde_json::from_slice(line));
    let Some(Ok(FromGuest::Start { tests, .. })) = first else {
        return Vec::new();
    };
    let mut distinct = Vec::new();
    for test in tests {
        if !distinct.contains(&test) {
            distinct.push(test);
        }
    }
    distinct
}

fn start(tests: &[&str]) -> Vec<u8> {
    start_with(PROTOCOL, "6.12.117-bpf-streams", "x86_64", tests, &[])
}

fn begin(test: &str) -> Vec<u8> {
    line(&FromGuest::TestStart {
        test: test.to_owned(),
    })
}

fn report(test: &str) -> Vec<u8> {
    line(&FromGuest::Test(TestReport {
        test: test.to_owned(),
        outcome: Outcome::Ran { retval: Some(0) },
        stdout: Bytes(b"\xff\0text".to_vec()),
        stderr: Bytes(Vec::new()),
        not_in_mainline: None,
        notes: Vec::new(),
        micros: 7,
    }))
}

fn end(tests: usize) -> Vec<u8> {
    end_with(tests, None)
}

fn end_with(tests: usize, leaks: Option<&str>) -> Vec<u8> {
    line(&FromGuest::End {
        tests,
        leaks: leaks.map(str::to_owned),
    })
}

fn good() -> Vec<Vec<u8>> {
    vec![
        start(&["a__x", "a__y"]),
        begin("a__x"),
        line(&FromGuest::Request {
            request: Request::Nmi,
        }),
        report("a__x"),
        begin("a__y"),
        report("a__y"),
        end(2),
    ]
}

/// A console without splats.
const FINE: &[u8] = b"[    1.000000] fine\n";

fn judged(lines: &[Vec<u8>]) -> Verdict {
    judged_with(lines, FINE, None, &EXPECTED)
}

fn judged_with(
    lines: &[Vec<u8>],
    console: &[u8],
    stopped: Option<&str>,
    expected: &Expected,
) -> Verdict {
    let handed = announced(lines);
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let evidence = Evidence {
        lines: &lines,
        handed: &handed,
        console,
        stopped,
    };
    judge(&[evidence], expected)
}

/// The faults of a good run after one change.
fn faults(spoil: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<Fault> {
    let mut lines = good();
    spoil(&mut lines);
    let faults = judged(&lines).faults;
    for fault in &faults {
        let shown = fault.to_string();
        let next = shown.split_once("\n  ").map(|(_, next)| next);
        assert!(next.is_some_and(|next| !next.is_empty()), "{shown}");
    }
    faults
}

#[test]
fn a_good_run_has_no_fault() {
    let verdict = judged(&good());
    assert_eq!(verdict.faults, []);
    assert_eq!(verdict.announced, ["a__x", "a__y"]);
    assert_eq!(verdict.report("a__y").unwrap().stdout.0, b"\xff\0text");
    assert_eq!(verdict.kernel.as_deref(), Some("6.12.117-bpf-streams"));
}
