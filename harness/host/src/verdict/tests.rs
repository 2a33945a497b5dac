// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A good run passes, and each way in which it can be spoiled gives a fault of its own.

use wire::{Bytes, Outcome, Request};

use super::*;

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
    cases: &[&str],
    empty: &[&str],
) -> Vec<u8> {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    line(&FromGuest::Start {
        protocol,
        kernel: kernel.to_owned(),
        machine: machine.to_owned(),
        cpus: 2,
        cases: owned(cases),
        empty_objects: owned(empty),
    })
}

fn start(cases: &[&str]) -> Vec<u8> {
    start_with(PROTOCOL, "6.12.117-bpf-streams", "x86_64", cases, &[])
}

fn begin(case: &str) -> Vec<u8> {
    line(&FromGuest::CaseStart {
        case: case.to_owned(),
    })
}

fn report(case: &str) -> Vec<u8> {
    line(&FromGuest::Case(CaseReport {
        case: case.to_owned(),
        outcome: Outcome::Ran { retval: Some(0) },
        stdout: Bytes(b"\xff\0text".to_vec()),
        stderr: Bytes(Vec::new()),
        not_in_mainline: None,
        notes: Vec::new(),
        micros: 7,
    }))
}

fn end(cases: usize) -> Vec<u8> {
    end_with(cases, None)
}

fn end_with(cases: usize, leaks: Option<&str>) -> Vec<u8> {
    line(&FromGuest::End {
        cases,
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

fn judged(lines: &[Vec<u8>]) -> Verdict {
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    judge(
        &Evidence {
            lines: &lines,
            console: b"[    1.000000] fine\n",
            stopped: None,
        },
        &EXPECTED,
    )
}

/// The faults of a good run that was changed at one place.
fn faults(spoil: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<Fault> {
    let mut lines = good();
    spoil(&mut lines);
    let faults = judged(&lines).faults;
    for fault in &faults {
        assert!(!fault.what().is_empty() && !fault.next().is_empty());
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

#[test]
fn a_silent_guest_is_a_fault() {
    assert_eq!(judged(&[]).faults, [Fault::NoStart]);
}

#[test]
fn lines_without_a_start_are_faults() {
    let found = faults(|lines| drop(lines.remove(0)));
    assert!(matches!(found[0], Fault::BeforeStart { number: 1, .. }));
    assert_eq!(found.last(), Some(&Fault::NoStart));
}

#[test]
fn a_second_start_is_a_fault() {
    assert_eq!(
        faults(|lines| lines.insert(1, start(&["a__x"]))),
        [Fault::SecondStart { number: 2 }]
    );
}

#[test]
fn another_protocol_is_a_fault_whatever_else_its_start_says() {
    let other = start_with(
        PROTOCOL + 1,
        "6.12.117-bpf-streams",
        "x86_64",
        &["a__x", "a__y"],
        &[],
    );
    assert_eq!(
        faults(|lines| lines[0] = other),
        [Fault::Protocol {
            guest: PROTOCOL + 1
        }]
    );
    let unknown =
        faults(|lines| lines[0] = b"{\"event\":\"start\",\"protocol\":9,\"new\":1}\n".to_vec());
    assert_eq!(unknown[0], Fault::Protocol { guest: 9 });
}

#[test]
fn another_kernel_or_machine_is_a_fault() {
    let lines = start_with(PROTOCOL, "6.1.0-deb", "aarch64", &["a__x", "a__y"], &[]);
    assert_eq!(
        faults(|good| good[0] = lines),
        [
            Fault::Kernel {
                expected: "6.12.117-bpf-streams".to_owned(),
                seen: "6.1.0-deb".to_owned()
            },
            Fault::Machine {
                expected: "x86_64".to_owned(),
                seen: "aarch64".to_owned()
            },
        ]
    );
}

#[test]
fn an_object_with_no_program_is_a_fault() {
    let lines = start_with(
        PROTOCOL,
        "6.12.117-bpf-streams",
        "x86_64",
        &["a__x", "a__y"],
        &["b.bpf.o"],
    );
    assert_eq!(
        faults(|good| good[0] = lines),
        [Fault::EmptyObject {
            object: "b.bpf.o".to_owned()
        }]
    );
}

#[test]
fn a_run_of_no_cases_is_a_fault() {
    let lines = [start(&[]), end(0)];
    assert_eq!(judged(&lines).faults, [Fault::NoCases { filter: None }]);
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let expected = Expected {
        filter: Some("nothing"),
        ..EXPECTED
    };
    let verdict = judge(
        &Evidence {
            lines: &lines,
            console: b"",
            stopped: None,
        },
        &expected,
    );
    assert!(verdict.faults[0].to_string().contains("TEST=nothing"));
}

#[test]
fn a_name_announced_twice_is_a_fault() {
    let found = faults(|lines| lines[0] = start(&["a__x", "a__y", "a__x"]));
    assert_eq!(
        found,
        [Fault::AnnouncedTwice {
            case: "a__x".to_owned()
        }]
    );
}

#[test]
fn garbage_is_a_fault() {
    for garbage in [
        &b"\xff\x00garbage\n"[..],
        b"\n",
        b"{\"event\":\"hello\"}\n",
        b"{\"event\":\"end\",\"cases\":2,\"more\":1}\n",
        b"{\"event\":\"case_start\"}\n",
        b"[ 1.0] a line of the console\n",
    ] {
        let found = faults(|lines| lines.insert(3, garbage.to_vec()));
        assert!(
            matches!(&found[..], [Fault::Garbage { number: 4, .. }]),
            "{found:?}"
        );
    }
    let after = faults(|lines| lines.push(b"garbage\n".to_vec()));
    assert!(
        matches!(&after[..], [Fault::Garbage { number: 8, .. }]),
        "{after:?}"
    );
}

#[test]
fn a_line_cut_midway_is_a_fault_even_if_it_is_whole() {
    let found = faults(|lines| lines[6].retain(|&byte| byte != b'\n'));
    assert!(
        matches!(&found[..], [Fault::Cut { number: 7, .. }, Fault::NoEnd]),
        "{found:?}"
    );
    let found = faults(|lines| {
        lines.truncate(4);
        lines[3].truncate(20);
    });
    assert!(
        matches!(&found[..], [Fault::Cut { number: 4, .. }, Fault::NeverReported { died_in: Some(case), .. }, Fault::NoEnd] if case == "a__x"),
        "{found:?}"
    );
}

#[test]
fn a_case_reported_twice_is_a_fault() {
    let found = faults(|lines| {
        lines.insert(4, begin("a__x"));
        lines.insert(5, report("a__x"));
    });
    assert_eq!(
        found,
        [
            Fault::ReportedTwice {
                case: "a__x".to_owned()
            },
            Fault::Count { said: 2, seen: 3 }
        ]
    );
    // The count cannot make up for it.
    let found = faults(|lines| {
        lines[4] = begin("a__x");
        lines[5] = report("a__x");
    });
    let missing = Fault::NeverReported {
        cases: vec!["a__y".to_owned()],
        died_in: None,
    };
    assert_eq!(
        found,
        [
            Fault::ReportedTwice {
                case: "a__x".to_owned()
            },
            missing
        ]
    );
}

#[test]
fn a_case_never_reported_is_a_fault() {
    let found = faults(|lines| drop(lines.drain(4..6)));
    let missing = Fault::NeverReported {
        cases: vec!["a__y".to_owned()],
        died_in: None,
    };
    assert_eq!(found, [Fault::Count { said: 2, seen: 1 }, missing.clone()]);
    // Nor does it help that the guest knows how many it reported.
    let found = faults(|lines| {
        lines.drain(4..6);
        lines[4] = end(1);
    });
    assert_eq!(found, [missing]);
}

#[test]
fn a_case_that_was_not_announced_is_a_fault() {
    let found = faults(|lines| lines[0] = start(&["a__x"]));
    assert_eq!(
        found,
        [
            Fault::NotAnnounced {
                case: "a__y".to_owned()
            },
            Fault::Count { said: 2, seen: 1 }
        ]
    );
}

#[test]
fn a_case_out_of_its_turn_is_a_fault() {
    let unbegun = faults(|lines| drop(lines.remove(4)));
    assert_eq!(
        unbegun,
        [Fault::NotBegun {
            case: "a__y".to_owned(),
            begun: None
        }]
    );
    let other = faults(|lines| lines[4] = begin("a__x"));
    assert_eq!(
        other,
        [Fault::NotBegun {
            case: "a__y".to_owned(),
            begun: Some("a__x".to_owned())
        }]
    );
    let interleaved = faults(|lines| lines.insert(3, begin("a__x")));
    assert_eq!(
        interleaved,
        [Fault::Interleaved {
            open: "a__x".to_owned(),
            next: "a__x".to_owned()
        }]
    );
    let request = faults(|lines| lines.swap(1, 2));
    assert_eq!(request, [Fault::RequestOutsideCase { number: 2 }]);
}

#[test]
fn a_missing_end_and_a_wrong_count_are_faults() {
    assert_eq!(faults(|lines| drop(lines.pop())), [Fault::NoEnd]);
    assert_eq!(
        faults(|lines| lines[6] = end(3)),
        [Fault::Count { said: 3, seen: 2 }]
    );
}

#[test]
fn lines_after_the_end_are_faults() {
    for late in [end(2), report("a__x"), start(&[])] {
        let found = faults(|lines| lines.push(late));
        assert!(
            matches!(&found[..], [Fault::AfterEnd { number: 8, .. }]),
            "{found:?}"
        );
    }
}

#[test]
fn a_splat_spoils_an_otherwise_good_run() {
    let lines = good();
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let console = b"[    1.000000] WARNING: CPU: 0 PID: 1 at kernel/bpf/stream.c:1 f+0x1/0x2\n";
    let verdict = judge(
        &Evidence {
            lines: &lines,
            console,
            stopped: None,
        },
        &EXPECTED,
    );
    let text = verdict.faults[0].to_string();
    assert_eq!(verdict.faults.len(), 1);
    assert!(
        text.contains("warning")
            && text.contains("stream.c:1")
            && text.contains("last/console.log"),
        "{text}"
    );
}

#[test]
fn a_guest_that_dies_in_a_case_names_the_case_and_the_cause_first() {
    let lines = good();
    let lines: Vec<&[u8]> = lines[..5].iter().map(Vec::as_slice).collect();
    let console = b"[    1.000000] Kernel panic - not syncing: Fatal exception\n";
    let evidence = Evidence {
        lines: &lines,
        console,
        stopped: Some("QEMU was killed by signal 9"),
    };
    let faults = judge(&evidence, &EXPECTED).faults;
    let shown: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert!(
        shown[0].contains("panic") && shown[0].contains("while a__y was running"),
        "{shown:?}"
    );
    assert!(shown[1].contains("signal 9"), "{shown:?}");
    assert!(
        shown[2].contains("died in a__y") && shown[2].contains("TEST='^a__y$'"),
        "{shown:?}"
    );
    assert_eq!(faults[3], Fault::NoEnd);
}

#[test]
fn a_guest_that_was_stopped_has_failed_even_if_all_was_reported() {
    let lines = good();
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let evidence = Evidence {
        lines: &lines,
        console: b"",
        stopped: Some("no power-off within 10 s of the end line"),
    };
    assert!(matches!(
        &judge(&evidence, &EXPECTED).faults[..],
        [Fault::Stopped { during: None, .. }]
    ));
}

#[test]
fn a_long_line_is_shown_by_its_beginning() {
    assert_eq!(excerpt(b"a\x00\xff"), "a\\x00\\xff");
    assert!(excerpt(&[b'x'; 1000]).ends_with("x… (840 more bytes)"));
}

/// The faults of a run of one case, whose guest was to have these features.
fn faults_with(features: &[&str], case: &[u8], end: &[u8]) -> Vec<Fault> {
    let (start, begin) = (start(&["a__x"]), begin("a__x"));
    let expected = Expected {
        features,
        ..EXPECTED
    };
    let evidence = Evidence {
        lines: &[&start, &begin, case, end],
        console: b"",
        stopped: None,
    };
    judge(&evidence, &expected).faults
}

#[test]
fn a_leak_is_a_fault_with_the_stack_that_allocated_it() {
    let listed = "unreferenced object 0xffff888003a3c000 (size 64):\n  comm \"agent\"\n    backtrace:\n    kmalloc+0x1/0x2\n";
    let faults = faults_with(&[], &report("a__x"), &end_with(1, Some(listed)));
    let [fault @ Fault::Leak { .. }] = &faults[..] else {
        panic!("{faults:?}");
    };
    assert!(fault.to_string().contains("    kmalloc+0x1/0x2"), "{fault}");
    assert!(faults_with(&[], &report("a__x"), &end_with(1, Some("\n"))).is_empty());
}

#[test]
fn a_long_list_of_leaks_is_shown_from_its_beginning() {
    let listed: String = (0..100).map(|line| format!("line {line}\n")).collect();
    let shown = Fault::Leak { listed }.what();
    assert!(shown.contains("line 59\n") && !shown.contains("line 60\n"));
    assert!(shown.ends_with("(40 more lines in last/events.jsonl)"));
}

#[test]
fn a_kernel_with_kmemleak_must_have_been_scanned() {
    let kmemleak = [feature::KMEMLEAK];
    let unscanned = faults_with(&kmemleak, &report("a__x"), &end(1));
    assert_eq!(unscanned, [Fault::NotScanned]);
    assert!(faults_with(&kmemleak, &report("a__x"), &end_with(1, Some(""))).is_empty());
}

#[test]
fn a_case_may_be_left_out_only_for_what_the_kernel_need_not_have() {
    let left_out = line(&FromGuest::Case(CaseReport {
        case: "a__x".to_owned(),
        outcome: Outcome::NotHere {
            feature: "fault_injection".to_owned(),
        },
        stdout: Bytes::default(),
        stderr: Bytes::default(),
        not_in_mainline: None,
        notes: Vec::new(),
        micros: 7,
    }));
    assert!(faults_with(&[], &left_out, &end(1)).is_empty());
    assert_eq!(
        faults_with(&["fault_injection"], &left_out, &end(1)),
        [Fault::FeatureMissing {
            case: "a__x".to_owned(),
            feature: "fault_injection".to_owned(),
        }]
    );
}
