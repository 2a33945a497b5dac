// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A start line that is missing, repeated or unexpected.

use super::*;

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
fn another_protocol_is_a_fault_whatever_the_rest_of_its_start_line() {
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
fn a_run_of_no_tests_is_a_fault() {
    let lines = [start(&[]), end(0)];
    assert_eq!(judged(&lines).faults, [Fault::NoTests { filter: None }]);
    let expected = Expected {
        filter: Some("nothing"),
        ..EXPECTED
    };
    let verdict = judged_with(&lines, FINE, None, &expected);
    assert!(verdict.faults[0].to_string().contains("TEST=nothing"));
}

#[test]
fn a_name_announced_twice_is_a_fault() {
    let found = faults(|lines| lines[0] = start(&["a__x", "a__y", "a__x"]));
    assert_eq!(
        found,
        [Fault::AnnouncedTwice {
            test: "a__x".to_owned()
        }]
    );
}
