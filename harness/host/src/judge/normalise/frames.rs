// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Folds kernel frames in a stack dump.
//!
//! The kernel functions between a program and its caller differ by architecture, compiler and base, so
//! a run of lines `symbol+0x<off>/0x<size>` becomes one line. A frame without a symbol (a bare address,
//! a question mark) is not folded and shows in the snapshot.

use std::sync::LazyLock;

use regex::Regex;

/// The first line of a stack dump; an empty line ends the dump.
const HEAD: &str = "Call trace:";
const FOLDED: &str = "<kernel frames>";

/// A kernel symbol with offset and size, with or without a module.
static SYMBOL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[A-Za-z_][\w.$]*\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[\w+\])?$"));

/// A program's frame: never folded.
static PROGRAM: LazyLock<Regex> = LazyLock::new(|| pattern(r"^bpf_prog_[0-9a-f]{16}(?:_|\+)"));

/// `text` with each run of kernel frames in a stack dump folded into one line.
pub(super) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_dump = false;
    let mut in_run = false;
    for line in text.split_inclusive('\n') {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        in_dump = bare == HEAD || (in_dump && !bare.is_empty());
        let kernel = in_dump && SYMBOL.is_match(bare) && !PROGRAM.is_match(bare);
        if !kernel {
            out.push_str(line);
        } else if !in_run {
            out.push_str(FOLDED);
            out.push_str(&line[bare.len()..]);
        }
        in_run = kernel;
    }
    out
}

#[expect(
    clippy::expect_used,
    reason = "a constant, compiled by the tests below"
)]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROG: &str = "bpf_prog_0123456789abcdef_main+0x10/0x20";

    #[test]
    fn runs_are_folded_each_into_one_line() {
        let text = format!("Call trace:\na+0x1/0x2\nb.isra.0+0x1/0x2\n{PROG}\nc+0x1/0x2 [nf]\n\n");
        let want = format!("Call trace:\n<kernel frames>\n{PROG}\n<kernel frames>\n\n");
        assert_eq!(fold(&text), want);
    }

    #[test]
    fn a_frame_without_a_symbol_stays() {
        for odd in [
            "0xffffffff81000000",
            "? a+0x1/0x2",
            "a+0x1",
            "a+0x1/0x2 extra text",
            "+0x1/0x2",
        ] {
            let text = format!("Call trace:\na+0x1/0x2\n{odd}\nb+0x1/0x2\n\n");
            let want = format!("Call trace:\n<kernel frames>\n{odd}\n<kernel frames>\n\n");
            assert_eq!(fold(&text), want);
        }
    }

    #[test]
    fn outside_a_dump_nothing_is_folded() {
        let text = "a+0x1/0x2\nCall trace:\nb+0x1/0x2\n\nc+0x1/0x2\n";
        assert_eq!(
            fold(text),
            "a+0x1/0x2\nCall trace:\n<kernel frames>\n\nc+0x1/0x2\n"
        );
    }

    #[test]
    fn a_cut_dump_keeps_its_missing_newline() {
        assert_eq!(
            fold("Call trace:\na+0x1/0x2"),
            "Call trace:\n<kernel frames>"
        );
    }
}
