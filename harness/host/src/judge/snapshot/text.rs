// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The text of a test that a reviewer approves.

use std::fmt;

use wire::{Outcome, TestReport};

use super::escape;
use crate::env::errno;
use crate::judge::normalise::Normaliser;

/// Largest text of a stream in a snapshot, in bytes.
pub const MOST_SHOWN: usize = 16 * 1024;

/// A longer run of equal lines is written as its length.
const LONGEST_REPEAT: usize = 3;

/// A stream that is too large for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "its {stream} of {read} bytes takes {shown} to show, where a snapshot holds at most {MOST_SHOWN}; \
     print less, or let a scenario of the guest read and check it (__scenario in selftests/selftest.h)"
)]
pub struct TooLarge {
    stream: &'static str,
    read: usize,
    shown: usize,
}

/// The text that is compared with the snapshot of a test.
///
/// # Errors
///
/// Where a stream is larger than [`MOST_SHOWN`].
pub fn render(report: &TestReport) -> Result<String, TooLarge> {
    let text = layout(report, &mut Normaliser::default());
    for (stream, read) in [("stdout", &report.stdout), ("stderr", &report.stderr)] {
        let shown = text
            .sections
            .iter()
            .find(|section| section.heading == stream)
            .map_or(0, |section| section.shown.len());
        if shown > MOST_SHOWN {
            return Err(TooLarge {
                stream,
                read: read.0.len(),
                shown,
            });
        }
    }
    Ok(text.to_string())
}

/// The text with nothing replaced or omitted, for the analysis of a failure.
#[must_use]
pub fn render_raw(report: &TestReport) -> String {
    layout(report, &mut AsItIs).to_string()
}

/// How the texts of a test are rewritten.
trait Rewrite {
    fn text(&mut self, text: &str) -> String;
    fn verifier_log(&mut self, log: &str) -> String;
}

impl Rewrite for Normaliser {
    fn text(&mut self, text: &str) -> String {
        Normaliser::text(self, text)
    }
    fn verifier_log(&mut self, log: &str) -> String {
        Normaliser::verifier_log(self, log)
    }
}

struct AsItIs;

impl Rewrite for AsItIs {
    fn text(&mut self, text: &str) -> String {
        text.to_owned()
    }
    fn verifier_log(&mut self, log: &str) -> String {
        log.to_owned()
    }
}

/// The outcome of a test in one line, and its texts.
struct Text {
    outcome: String,
    sections: Vec<Section>,
}

struct Section {
    heading: &'static str,
    shown: String,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.outcome)?;
        self.sections
            .iter()
            .try_for_each(|section| write!(f, "\n{}", section.shown))
    }
}

/// The texts are rewritten in reading order, so that placeholders are numbered in that order.
fn layout(report: &TestReport, rewrite: &mut impl Rewrite) -> Text {
    let mut sections = Vec::new();
    let mut add = |heading, text: String| {
        sections.push(Section {
            heading,
            shown: section(heading, &text),
        })
    };
    if let Outcome::Rejected { log, .. } = &report.outcome {
        add(
            "verifier",
            rewrite.verifier_log(&escape::decode(log.as_bytes())),
        );
    }
    for (heading, bytes) in [("stdout", &report.stdout.0), ("stderr", &report.stderr.0)] {
        // A rejected program printed nothing; if it did, the snapshot must show it.
        if !bytes.is_empty() || matches!(report.outcome, Outcome::Ran { .. }) {
            add(heading, rewrite.text(&escape::decode(bytes)));
        }
    }
    if !report.notes.is_empty() {
        let notes: String = report
            .notes
            .iter()
            .map(|note| format!("{note}\n"))
            .collect();
        add("notes", rewrite.text(&escape::decode(notes.as_bytes())));
    }
    Text {
        outcome: outcome(&report.outcome),
        sections,
    }
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ran {
            retval: Some(value),
        } => format!("returned: {}", errno::describe(*value)),
        Outcome::Ran { retval: None } => "ran".to_owned(),
        Outcome::Rejected { errno, .. } => {
            format!("rejected: {}", errno::describe(-i64::from(*errno)))
        }
        // Never compared: the test did not run.
        Outcome::Skipped { feature } => format!("skipped: the guest has no {feature}"),
        // Never compared: the test has failed whatever its snapshot holds.
        Outcome::Failed { error } => format!("failed: {error}"),
    }
}

/// A heading and the lines of `text` below it, each after a bar.
fn section(heading: &str, text: &str) -> String {
    if text.is_empty() {
        return format!("{heading}: empty\n");
    }
    let mut out = format!("{heading}:\n");
    let lines: Vec<String> = text.lines_with_end().map(escape::escape).collect();
    for same in lines.chunk_by(|a, b| a == b) {
        let shown = if same.len() > LONGEST_REPEAT {
            1
        } else {
            same.len()
        };
        for line in &same[..shown] {
            out.push_str(format!("| {line}").trim_end());
            out.push('\n');
        }
        if shown < same.len() {
            out.push_str(&format!("\\ {} more lines like this\n", same.len() - shown));
        }
    }
    if !text.ends_with('\n') {
        out.push_str("\\ no newline at the end\n");
    }
    out
}

/// Lines ended by `\n` alone: `str::lines` would drop a carriage return that a program printed.
trait LinesWithEnd {
    fn lines_with_end(&self) -> impl Iterator<Item = &str>;
}

impl LinesWithEnd for str {
    fn lines_with_end(&self) -> impl Iterator<Item = &str> {
        self.split_inclusive('\n')
            .map(|line| line.strip_suffix('\n').unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use wire::Bytes;

    use super::*;

    fn ran(retval: Option<i64>, stdout: &[u8], stderr: &[u8], notes: &[&str]) -> TestReport {
        TestReport {
            test: "file__program".to_owned(),
            outcome: Outcome::Ran { retval },
            stdout: Bytes(stdout.to_vec()),
            stderr: Bytes(stderr.to_vec()),
            not_in_mainline: None,
            notes: notes.iter().map(|&note| note.to_owned()).collect(),
            micros: 1,
        }
    }

    fn text(report: &TestReport) -> String {
        render(report).unwrap()
    }

    #[test]
    fn a_test_that_ran_shows_both_streams() {
        let report = ran(Some(0), b"hello\n\nworld", b"", &["read 3 times"]);
        let want = "returned: 0\n\nstdout:\n| hello\n|\n| world\n\\ no newline at the end\n\n\
                    stderr: empty\n\nnotes:\n| read 3 times\n";
        assert_eq!(text(&report), want);
    }

    #[test]
    fn an_error_is_named() {
        assert!(text(&ran(Some(-28), b"", b"", &[])).starts_with("returned: -28 (ENOSPC)\n"));
        assert!(text(&ran(None, b"", b"", &[])).starts_with("ran\n"));
    }

    #[test]
    fn a_rejection_shows_the_verifiers_message() {
        let mut report = ran(None, b"", b"", &[]);
        report.outcome = Outcome::Rejected {
            errno: 22,
            log: "0: R1=ctx() R10=fp0\n; f(); @ a.bpf.c:3\n0: (85) call f#12\narg#1 is no string\nprocessed 1 insns (limit\n".to_owned(),
        };
        assert_eq!(
            text(&report),
            "rejected: -22 (EINVAL)\n\nverifier:\n| ; f(); @ a.bpf.c:3\n| arg#1 is no string\n"
        );
        report.stdout = Bytes(b"x\n".to_vec());
        assert!(text(&report).ends_with("\nstdout:\n| x\n"));
    }

    #[test]
    fn no_difference_in_a_stream_is_lost() {
        let streams: &[&[u8]] = &[
            b"",
            b"\n",
            b"\n\n",
            b"a",
            b"a\n",
            b"a\r\n",
            b" a\n",
            b"a \n",
            b"\ta\n",
            b"| a\n",
            b"a\xff\n",
            b"a\\xff\n",
            b"a\na\na\na\n",
            b"a\n\\ 3 more lines like this\n",
            b"a\na\na\na",
            b"a\n\n",
            b"\\ no newline at the end\n",
        ];
        for (i, one) in streams.iter().enumerate() {
            for other in &streams[i + 1..] {
                assert_ne!(
                    text(&ran(None, one, b"", &[])),
                    text(&ran(None, other, b"", &[]))
                );
            }
            assert_ne!(
                text(&ran(None, one, b"b", &[])),
                text(&ran(None, b"b", one, &[]))
            );
        }
    }

    #[test]
    fn a_stream_larger_than_a_snapshot_is_an_error() {
        let lines: String = (0..2000).map(|i| format!("line {i}\n")).collect();
        let error = render(&ran(None, b"", lines.as_bytes(), &[]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("its stderr of 18890 bytes") && error.contains("__scenario"),
            "{error}"
        );
    }

    #[test]
    fn equal_lines_are_counted_and_so_are_equal_characters() {
        assert!(
            text(&ran(None, "same\n".repeat(2000).as_bytes(), b"", &[]))
                .contains("| same\n\\ 1999 more lines like this\n")
        );
        assert!(
            text(&ran(None, "a".repeat(1023).as_bytes(), b"", &[])).contains("| \\{1023 x a}\n")
        );
    }

    #[test]
    fn the_raw_text_is_whole() {
        let mut report = ran(None, b"ffff888103a1c008\n", b"", &[]);
        report.outcome = Outcome::Rejected {
            errno: 22,
            log: "0: R1=ctx()\nprocessed 1 insns (limit\n".to_owned(),
        };
        assert_eq!(
            render_raw(&report),
            "rejected: -22 (EINVAL)\n\nverifier:\n| 0: R1=ctx()\n| processed 1 insns (limit\n\nstdout:\n| ffff888103a1c008\n"
        );
    }

    #[test]
    fn both_streams_share_placeholders() {
        let report = ran(
            None,
            b"ffff888103a1c008\n",
            b"Attempted lock   = 0xffff888103a1c008\n",
            &["ffff888103a1c010"],
        );
        let shown = text(&report);
        assert!(
            shown.contains("| <addr1>\n")
                && shown.contains("= 0x<addr1>\n")
                && shown.contains("| <addr2>\n"),
            "{shown}"
        );
    }
}
