// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Lines of the channel that are not valid.

use super::*;

#[test]
fn garbage_is_a_fault() {
    for garbage in [
        &b"\xff\x00garbage\n"[..],
        b"\n",
        b"{\"event\":\"hello\"}\n",
        b"{\"event\":\"end\",\"tests\":2,\"more\":1}\n",
        b"{\"event\":\"test_start\"}\n",
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
        matches!(&found[..], [Fault::Cut { number: 4, .. }, Fault::NeverReported { died_in: Some(test), .. }, Fault::NoEnd] if test == "a__x"),
        "{found:?}"
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
fn a_long_line_is_shown_by_its_beginning() {
    assert_eq!(excerpt(b"a\x00\xff"), "a\\x00\\xff");
    assert!(excerpt(&[b'x'; 1000]).ends_with("x… (840 more bytes)"));
}
