// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Several guests share the tests of a run.

use super::*;

/// A guest: its lines, the tests that it was handed, its console, and why it was stopped.
struct Guest {
    lines: Vec<Vec<u8>>,
    handed: Vec<String>,
    console: &'static [u8],
    stopped: Option<&'static str>,
}

const TESTS: &[&str] = &["a__x", "a__y", "a__z"];

impl Guest {
    /// A good guest that announces [`TESTS`].
    fn with(tests: &[&str]) -> Guest {
        let runs = tests.iter().flat_map(|test| [begin(test), report(test)]);
        Guest {
            lines: [start(TESTS)]
                .into_iter()
                .chain(runs)
                .chain([end(tests.len())])
                .collect(),
            handed: owned(tests),
            console: FINE,
            stopped: None,
        }
    }

    /// A guest that dies in the last of these tests.
    fn that_dies_in(tests: &[&str]) -> Guest {
        let mut guest = Guest::with(tests);
        guest.lines.truncate(guest.lines.len() - 2);
        guest.stopped = Some("it rebooted");
        guest
    }
}

fn judged_guests(guests: &[Guest]) -> Verdict {
    let lines: Vec<Vec<&[u8]>> = guests
        .iter()
        .map(|guest| guest.lines.iter().map(Vec::as_slice).collect())
        .collect();
    let evidence: Vec<Evidence> = guests
        .iter()
        .zip(&lines)
        .map(|(guest, lines)| Evidence {
            lines,
            handed: &guest.handed,
            console: guest.console,
            stopped: guest.stopped,
        })
        .collect();
    let verdict = judge(&evidence, &EXPECTED);
    for fault in &verdict.faults {
        let shown = fault.to_string();
        assert!(shown.contains("\n  "), "without a next step: {shown}");
    }
    verdict
}

#[test]
fn good_guests_make_a_good_run() {
    let verdict = judged_guests(&[Guest::with(&["a__z"]), Guest::with(&["a__y", "a__x"])]);
    assert_eq!(verdict.faults, []);
    assert_eq!(verdict.announced, TESTS);
    let reported: Vec<&String> = verdict.reports.iter().map(|report| &report.test).collect();
    assert_eq!(reported, TESTS, "in announced order");
    assert_eq!(verdict.kernel.as_deref(), Some("6.12.117-bpf-streams"));
}

#[test]
fn a_guest_without_a_test_is_good() {
    let verdict = judged_guests(&[Guest::with(TESTS), Guest::with(&[])]);
    assert_eq!(verdict.faults, []);
}

#[test]
fn a_guest_that_dies_fails_its_test_and_is_named() {
    let verdict = judged_guests(&[
        Guest::with(&["a__x", "a__z"]),
        Guest::that_dies_in(&["a__y"]),
    ]);
    assert!(verdict.faults.iter().all(|fault| fault.guest() == Some(2)));
    let shown: Vec<String> = verdict.faults.iter().map(Fault::to_string).collect();
    assert!(
        shown[0].starts_with("guest 2: the guest did not power off: it rebooted")
            && shown[0].contains("see last/guest-2/console.log"),
        "{shown:?}"
    );
    assert!(
        shown[1].starts_with("guest 2: the guest died in a__y; not reported: a__y"),
        "{shown:?}"
    );
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(verdict.report("a__y").is_none() && verdict.report("a__z").is_some());
}

#[test]
fn tests_without_a_guest_are_a_fault() {
    let verdict = judged_guests(&[
        Guest::that_dies_in(&["a__x"]),
        Guest::that_dies_in(&["a__y"]),
    ]);
    let tests = owned(&["a__z"]);
    assert_eq!(verdict.faults.last(), Some(&Fault::NotHandedOut { tests }));
    let alone = judged_guests(&[Guest::that_dies_in(&["a__x"])]);
    let tests = owned(&["a__y", "a__z"]);
    assert_eq!(alone.faults.last(), Some(&Fault::NotHandedOut { tests }));
}

#[test]
fn a_test_in_two_guests_is_a_fault() {
    let twice = Fault::HandedOutTwice {
        test: "a__y".to_owned(),
        guests: vec![1, 2],
    };
    let both = [
        Guest::with(&["a__x", "a__y"]),
        Guest::with(&["a__y", "a__z"]),
    ];
    let verdict = judged_guests(&both);
    assert_eq!(verdict.faults, std::slice::from_ref(&twice));
    assert_eq!(verdict.reports.len(), 3);
    // also where only one of them reported it
    let verdict = judged_guests(&[
        Guest::that_dies_in(&["a__x", "a__y"]),
        Guest::with(&["a__y", "a__z"]),
    ]);
    assert!(verdict.faults.contains(&twice), "{:?}", verdict.faults);
}

#[test]
fn a_test_that_the_host_did_not_name_is_a_fault() {
    let mut guest = Guest::with(&["a__y", "a__z"]);
    guest.handed = owned(&["a__z"]);
    let verdict = judged_guests(&[Guest::with(&["a__x", "a__y"]), guest]);
    let test = "a__y".to_owned();
    let fault = Box::new(Fault::NotHanded { test });
    assert_eq!(verdict.faults, [Fault::InGuest { guest: 2, fault }]);
}

#[test]
fn guests_that_announce_different_tests_are_a_fault() {
    let announcing = |tests: &[&str], alone: &[&str]| {
        let mut guest = Guest::with(&[]);
        guest.lines[0] = line(&FromGuest::Start {
            protocol: PROTOCOL,
            kernel: "6.12.117-bpf-streams".to_owned(),
            machine: "x86_64".to_owned(),
            cpus: 2,
            tests: owned(tests),
            alone: owned(alone),
            empty_objects: Vec::new(),
        });
        guest
    };
    for (tests, alone, difference) in [
        (&["a__x", "a__y"][..], &[][..], "not a__z"),
        (&["a__x", "a__y", "a__z", "b"], &[], "also b"),
        (&["a__x", "a__y", "b"], &[], "not a__z, but b"),
        (&["a__y", "a__x", "a__z"], &[], "another order"),
        (TESTS, &["a__x"], "`__alone` marks"),
    ] {
        let verdict = judged_guests(&[Guest::with(TESTS), announcing(tests, alone)]);
        let [fault @ Fault::DifferentLists { .. }] = &verdict.faults[..] else {
            panic!("{:?}", verdict.faults);
        };
        let shown = fault.to_string();
        assert!(
            shown.contains("guest 2 announced other tests than guest 1")
                && shown.contains(difference),
            "{shown}"
        );
        assert_eq!(verdict.announced, TESTS);
    }
}

#[test]
fn a_guest_that_never_started_leaves_a_whole_run_with_a_fault() {
    let mut silent = Guest::with(&[]);
    silent.lines.clear();
    let verdict = judged_guests(&[silent, Guest::with(TESTS)]);
    let fault = Box::new(Fault::NoStart);
    assert_eq!(verdict.faults, [Fault::InGuest { guest: 1, fault }]);
    assert_eq!(verdict.announced, TESTS);
    assert_eq!(verdict.reports.len(), 3);
}

#[test]
fn a_fault_that_every_guest_has_is_listed_once() {
    let without_tests = || Guest {
        lines: vec![start(&[]), end(0)],
        ..Guest::with(&[])
    };
    let verdict = judged_guests(&[without_tests(), without_tests()]);
    assert_eq!(verdict.faults, [Fault::NoTests { filter: None }]);
}

#[test]
fn a_splat_names_the_guest_and_the_test_that_was_running() {
    let mut guest = Guest::that_dies_in(&["a__y"]);
    guest.console = b"[    1.000000] Kernel panic - not syncing: Fatal exception\n";
    let verdict = judged_guests(&[Guest::with(&["a__x", "a__z"]), guest]);
    let shown = verdict.faults[0].to_string();
    assert!(
        shown.starts_with("guest 2: ")
            && shown.contains("while a__y was running")
            && shown.contains("last/guest-2/console.log"),
        "{shown}"
    );
}
