// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The difference between two texts, line by line.

use similar::{ChangeTag, TextDiff};

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What became of it.
    pub kind: Kind,
    /// The line, without its end.
    pub text: String,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It stands in both texts.
    Same,
    /// It stands in the old text alone.
    Old,
    /// It stands in the new text alone.
    New,
    /// Lines that are the same were left out here.
    Gap,
}

impl Kind {
    /// The sign in front of the line.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Kind::Same => " ",
            Kind::Old => "-",
            Kind::New => "+",
            Kind::Gap => "@",
        }
    }

    /// Its name in a page.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Same => "same",
            Kind::Old => "old",
            Kind::New => "new",
            Kind::Gap => "gap",
        }
    }
}

/// The lines that differ, and so many around them; none where the texts are the same.
#[must_use]
pub fn lines(old: &str, new: &str, around: usize) -> Vec<Line> {
    // an end of line more at the very end is nothing that anybody could see
    let diff = TextDiff::from_lines(old.trim_end_matches('\n'), new.trim_end_matches('\n'));
    let mut lines = Vec::new();
    for (index, group) in diff.grouped_ops(around).iter().enumerate() {
        if index > 0 {
            lines.push(Line {
                kind: Kind::Gap,
                text: "…".to_owned(),
            });
        }
        let changes = group.iter().flat_map(|op| diff.iter_changes(op));
        lines.extend(changes.map(|change| Line {
            kind: match change.tag() {
                ChangeTag::Equal => Kind::Same,
                ChangeTag::Delete => Kind::Old,
                ChangeTag::Insert => Kind::New,
            },
            text: change.value().trim_end_matches(['\n', '\r']).to_owned(),
        }));
    }
    lines
}

/// The same as text, a line each.
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
    fn a_difference_shows_both_sides_and_what_is_around() {
        let old = "returned: 0\n\nstdout:\n| one\n";
        let new = "returned: 0\n\nstdout:\n| two\n";
        assert_eq!(
            text(&lines(old, new, 10)),
            " returned: 0\n \n stdout:\n-| one\n+| two\n"
        );
        assert!(lines(old, old, 10).is_empty());
    }

    #[test]
    fn what_is_far_from_a_change_is_left_out() {
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
