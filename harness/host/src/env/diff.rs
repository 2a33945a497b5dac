// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The difference between two texts, line by line.

use similar::{ChangeTag, TextDiff};

/// A line of a diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whether it was added, removed or kept.
    pub kind: LineKind,
    /// The line, without its end.
    pub text: String,
}

/// The kind of a [`Line`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// In both texts.
    Same,
    /// Only in the old text.
    Old,
    /// Only in the new text.
    New,
    /// Stands for common lines that are not shown.
    Gap,
}

impl LineKind {
    /// The sign in front of the line.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            LineKind::Same => " ",
            LineKind::Old => "-",
            LineKind::New => "+",
            LineKind::Gap => "@",
        }
    }

    /// The CSS class of the line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            LineKind::Same => "same",
            LineKind::Old => "old",
            LineKind::New => "new",
            LineKind::Gap => "gap",
        }
    }
}

/// The lines that differ, with `around` common lines before and after; empty for equal texts.
#[must_use]
pub fn lines(old: &str, new: &str, around: usize) -> Vec<Line> {
    // a diff does not show the number of newlines at the end
    let diff = TextDiff::from_lines(old.trim_end_matches('\n'), new.trim_end_matches('\n'));
    let mut lines = Vec::new();
    for (index, group) in diff.grouped_ops(around).iter().enumerate() {
        if index > 0 {
            lines.push(Line {
                kind: LineKind::Gap,
                text: "…".to_owned(),
            });
        }
        let changes = group.iter().flat_map(|op| diff.iter_changes(op));
        lines.extend(changes.map(|change| Line {
            kind: match change.tag() {
                ChangeTag::Equal => LineKind::Same,
                ChangeTag::Delete => LineKind::Old,
                ChangeTag::Insert => LineKind::New,
            },
            text: change.value().trim_end_matches(['\n', '\r']).to_owned(),
        }));
    }
    lines
}

/// `lines` as text, as `diff -u` prints them.
#[must_use]
pub fn text(lines: &[Line]) -> String {
    lines
        .iter()
        .map(|line| format!("{}{}\n", line.kind.sign(), line.text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_both_sides_and_common_lines_around() {
        let old = "returned: 0\n\nstdout:\n| one\n";
        let new = "returned: 0\n\nstdout:\n| two\n";
        assert_eq!(
            text(&lines(old, new, 10)),
            " returned: 0\n \n stdout:\n-| one\n+| two\n"
        );
        assert!(lines(old, old, 10).is_empty());
    }

    #[test]
    fn lines_far_from_a_change_are_not_shown() {
        let old: String = (0..100).map(|line| format!("{line}\n")).collect();
        let new = old.replacen("0\n", "first\n", 1).replace("99\n", "last\n");
        let shown = text(&lines(&old, &new, 10));
        assert!(
            shown.contains("@…\n") && !shown.contains(" 50\n"),
            "{shown}"
        );
        assert!(shown.starts_with("-0\n+first\n") && shown.ends_with("-99\n+last\n"));
    }
}
