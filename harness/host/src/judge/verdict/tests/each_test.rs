// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Every test once and in its turn, and an end line that has counted them.

use super::*;

#[test]
fn a_test_reported_twice_is_a_fault() {
    let found = faults(|lines| {
        lines.insert(4, begin("a__x"));
        lines.insert(5, report("a__x"));
    });
    assert_eq!(
        found,
        [
            Fault::ReportedTwice {
                test: "a__x".to_owned()
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
        tests: vec!["a__y".to_owned()],
        died_in: None,
    };
    assert_eq!(
        found,
        [
            Fault::ReportedTwice {
                test: "a__x".to_owned()
            },
            missing
        ]
    );
}

#[test]
fn a_test_never_reported_is_a_fault() {
    let found = faults(|lines| drop(lines.drain(4..6)));
    let missing = Fault::NeverReported {
        tests: vec!["a__y".to_owned()],
        died_in: None,
    };
    assert_eq!(found, [Fault::Count { said: 2, seen: 1 }, missing.clone()]);
    // A correct count in the end line changes nothing.
    let found = faults(|lines| {
        lines.drain(4..6);
        lines[4] = end(1);
    });
    assert_eq!(found, [missing]);
}

#[test]
fn a_test_that_was_not_announced_is_a_fault() {
    let found = faults(|lines| lines[0] = start(&["a__x"]));
    assert_eq!(
        found,
        [
            Fault::NotAnnounced {
                test: "a__y".to_owned()
            },
            Fault::Count { said: 2, seen: 1 }
        ]
    );
}

#[test]
fn a_test_out_of_its_turn_is_a_fault() {
    let unbegun = faults(|lines| drop(lines.remove(4)));
    assert_eq!(
        unbegun,
        [Fault::NotBegun {
            test: "a__y".to_owned(),
            begun: None
        }]
    );
    let other = faults(|lines| lines[4] = begin("a__x"));
    assert_eq!(
        other,
        [Fault::NotBegun {
            test: "a__y".to_owned(),
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
    assert_eq!(request, [Fault::RequestOutsideTest { number: 2 }]);
}

#[test]
fn a_missing_end_and_a_wrong_count_are_faults() {
    assert_eq!(faults(|lines| drop(lines.pop())), [Fault::NoEnd]);
    assert_eq!(
        faults(|lines| lines[6] = end(3)),
        [Fault::Count { said: 3, seen: 2 }]
    );
}
