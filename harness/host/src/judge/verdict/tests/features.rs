// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Features that the kernel was built with must be found; a leak is a fault.

use super::*;

/// The faults of a run of one test, whose guest must have these features.
fn faults_with(features: &[&str], test: &[u8], end: &[u8]) -> Vec<Fault> {
    let lines = [start(&["a__x"]), begin("a__x"), test.to_vec(), end.to_vec()];
    let expected = Expected {
        features,
        ..EXPECTED
    };
    judged_with(&lines, FINE, None, &expected).faults
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
    let shown = Fault::Leak { listed }.to_string();
    assert!(shown.contains("line 59\n") && !shown.contains("line 60\n"));
    assert!(shown.contains("(40 more lines in last/events.jsonl)\n"));
}

#[test]
fn a_kernel_with_kmemleak_must_have_been_scanned() {
    let kmemleak = [feature::KMEMLEAK];
    let unscanned = faults_with(&kmemleak, &report("a__x"), &end(1));
    assert_eq!(unscanned, [Fault::NotScanned]);
    assert!(faults_with(&kmemleak, &report("a__x"), &end_with(1, Some(""))).is_empty());
}

#[test]
fn a_kernel_with_tags_must_have_turned_them_on() {
    let expected = Expected {
        features: &["kasan_hw_tags"],
        ..EXPECTED
    };
    let faults = |lines: &[Vec<u8>], console| judged_with(lines, console, None, &expected).faults;
    let off = faults(&good(), FINE);
    let [fault @ Fault::LineMissing(line)] = &off[..] else {
        panic!("{off:?}");
    };
    assert_eq!(line.feature, "kasan_hw_tags");
    assert!(fault.to_string().contains("last/console.log"), "{fault}");
    let on = b"[    0.000000] kasan: KernelAddressSanitizer initialized (hw-tags, mode=sync, \
               vmalloc=on, stacktrace=on)\n";
    assert_eq!(faults(&good(), on), []);
    assert_eq!(faults(&[], FINE), [Fault::NoStart]);
}

#[test]
fn a_test_may_be_skipped_only_for_a_feature_that_is_not_required() {
    let skipped = line(&FromGuest::Test(TestReport {
        test: "a__x".to_owned(),
        outcome: Outcome::Skipped {
            feature: "fault_injection".to_owned(),
        },
        stdout: Bytes::default(),
        stderr: Bytes::default(),
        not_in_mainline: None,
        notes: Vec::new(),
        micros: 7,
    }));
    assert!(faults_with(&[], &skipped, &end(1)).is_empty());
    assert_eq!(
        faults_with(&["fault_injection"], &skipped, &end(1)),
        [Fault::FeatureMissing {
            test: "a__x".to_owned(),
            feature: "fault_injection".to_owned(),
        }]
    );
}
