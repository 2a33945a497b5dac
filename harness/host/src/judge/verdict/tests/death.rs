// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Splats on the console, and a guest that does not power off by itself.

use super::*;

#[test]
fn a_splat_spoils_an_otherwise_good_run() {
    let console = b"[    1.000000] WARNING: CPU: 0 PID: 1 at kernel/bpf/stream.c:1 f+0x1/0x2\n";
    let faults = judged_with(&good(), console, None, &EXPECTED).faults;
    let text = faults[0].to_string();
    assert_eq!(faults.len(), 1);
    assert!(
        text.contains("warning")
            && text.contains("stream.c:1")
            && text.contains("last/console.log"),
        "{text}"
    );
}

#[test]
fn a_guest_that_dies_in_a_test_names_the_test_and_the_cause_first() {
    let console = b"[    1.000000] Kernel panic - not syncing: Fatal exception\n";
    let stopped = Some("QEMU was killed by signal 9");
    let faults = judged_with(&good()[..5], console, stopped, &EXPECTED).faults;
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
fn a_stopped_guest_is_a_fault_even_if_every_test_was_reported() {
    let stopped = Some("no power-off within 10 s of the end line");
    assert!(matches!(
        &judged_with(&good(), FINE, stopped, &EXPECTED).faults[..],
        [Fault::Stopped { during: None, .. }]
    ));
}
