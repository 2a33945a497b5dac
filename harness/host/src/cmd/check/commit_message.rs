// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The form of a patch: subject, text, sign-off, and the number in its file name.

use crate::queue::series::{Patch, number};

/// Longest subject, so that `git log --oneline` fits into 80 columns.
const SUBJECT: usize = 75;

/// Longest line of the text, as in checkpatch.
const LINE: usize = 75;

/// The faults in the form of `patch`, which is number `at` of a series of `count`.
pub fn check(patch: &Patch, at: usize, count: usize, base: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(&patch.text);
    let head = text.split("\n---\n").next().unwrap_or_default();
    let (fields, body) = head.split_once("\n\n").unwrap_or((head, ""));
    let mut wrong = Vec::new();
    if !patch.name.starts_with(&format!("{at:04}-")) {
        wrong.push(format!(
            "it is patch number {at}; expected a file name that begins with {at:04}-"
        ));
    }
    let prefix = format!("[PATCH {base} {}] ", number(at, count));
    let subject = subject(fields);
    match subject.strip_prefix(&prefix) {
        Some(subject) => wrong.extend(subject_faults(subject)),
        None => wrong.push(format!(
            "expected the subject `{prefix}subsystem: What it does`"
        )),
    }
    let (text, signed): (Vec<&str>, Vec<&str>) = body
        .lines()
        .filter(|line| !line.trim().is_empty())
        .partition(|line| !line.starts_with("Signed-off-by: "));
    if text.is_empty() {
        wrong.push("it has no text that explains why".to_owned());
    }
    wrong.extend(long_lines(body));
    if signed.is_empty() {
        wrong.push("it has no Signed-off-by".to_owned());
    }
    wrong
        .into_iter()
        .map(|wrong| format!("{}: {wrong}", patch.name))
        .collect()
}

/// Lines of the text that are too long. Quoted output, lines without a blank and tags may be longer.
fn long_lines(body: &str) -> Vec<String> {
    let quoted = |line: &str| line.starts_with([' ', '\t', '>', '|', '$', '#']);
    let breaks = |line: &str| line.split_whitespace().count() > 1;
    let tag = |line: &str| {
        let word = line.split(": ").next().unwrap_or_default();
        word.ends_with("-by") || ["Fixes", "Link", "Closes"].contains(&word)
    };
    body.lines()
        .filter(|line| line.chars().count() > LINE && breaks(line) && !quoted(line) && !tag(line))
        .map(|line| format!("a line of the text is longer than {LINE} characters: `{line}`"))
        .collect()
}

/// The subject; a mail may fold it into several lines.
fn subject(fields: &str) -> String {
    let mut subject = String::new();
    for line in fields.lines() {
        if let Some(begin) = line.strip_prefix("Subject: ") {
            subject = begin.to_owned();
        } else if line.starts_with(' ') && !subject.is_empty() {
            subject.push_str(line);
        } else if !subject.is_empty() {
            break;
        }
    }
    subject
}

fn subject_faults(subject: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let what = subject.rsplit_once(": ").map(|(_, what)| what);
    if !what.is_some_and(|what| what.starts_with(|c: char| c.is_ascii_uppercase())) {
        faults.push(format!(
            "`{subject}` has not the form `subsystem: What it does`"
        ));
    }
    if subject.ends_with('.') {
        faults.push(format!("`{subject}` ends with a full stop"));
    }
    if subject.len() > SUBJECT {
        faults.push(format!("`{subject}` is longer than {SUBJECT} characters"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n\
        From: A Uthor <a@uthor.example>\nDate: Sat, 21 Nov 2026 02:52:32 +0000\n\
        Subject: [PATCH v6.12 03/13] bpf: Let the verifier supply the calling program to\n any kfunc\n\n\
        Because.\n\nSigned-off-by: A Uthor <a@uthor.example>\n---\n x | 1 +\n";

    fn faults(name: &str, text: &str) -> Vec<String> {
        let patch = Patch {
            name: name.to_owned(),
            path: name.into(),
            text: text.as_bytes().to_vec(),
            prefix_key: String::new(),
        };
        check(&patch, 3, 13, "v6.12")
    }

    #[test]
    fn a_good_patch_has_no_fault() {
        assert_eq!(faults("0003-good.patch", GOOD), Vec::<String>::new());
    }

    #[test]
    fn every_fault_is_found() {
        let long = "x".repeat(60);
        for (from, to, message) in [
            (
                "[PATCH v6.12 03/13]",
                "[PATCH v6.12 3/13]",
                "expected the subject",
            ),
            (
                "bpf: Let",
                "bpf: let",
                "has not the form `subsystem: What it does`",
            ),
            (
                "bpf: Let",
                "Let",
                "has not the form `subsystem: What it does`",
            ),
            ("any kfunc", "any kfunc.", "full stop"),
            (
                "Because.",
                &"word ".repeat(16),
                "a line of the text is longer than 75",
            ),
            ("any kfunc", &long, "longer than"),
            ("Because.\n\n", "", "no text that explains why"),
            ("Signed-off-by", "Acked-by", "no Signed-off-by"),
        ] {
            let got = faults("0003-good.patch", &GOOD.replacen(from, to, 1));
            assert_eq!(got.len(), 1, "{from} to {to}: {got:?}");
            assert!(got[0].contains(message), "{got:?}");
        }
        for quoted in [format!("  {}", "word ".repeat(16)), "x".repeat(90)] {
            let got = faults("0003-good.patch", &GOOD.replacen("Because.", &quoted, 1));
            assert_eq!(got, Vec::<String>::new());
        }
        let got = faults("0004-good.patch", GOOD);
        assert!(
            got[0].contains("expected a file name that begins with 0003-"),
            "{got:?}"
        );
    }
}
