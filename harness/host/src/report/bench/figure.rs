// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The figures in a test's notes: thousandths, unit and, for several figures, the point on the axis.
//!
//! ```text
//! 620400 instructions
//! 9000000 prints a second @ 2 CPUs
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};
use wire::{Outcome, TestReport};

/// A figure of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The value, in thousandths.
    pub thousandths: u64,
    /// The unit.
    pub unit: String,
    /// The point on the axis, where the test gives several figures.
    pub at: Option<At>,
}

/// A point on an axis: `2 CPUs`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// The number.
    pub count: u64,
    /// The unit.
    pub of: String,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.count {
            1 => self.of.strip_suffix('s').unwrap_or(&self.of),
            _ => &self.of,
        };
        write!(f, "{} {of}", self.count)
    }
}

/// The figures of a test, or why it has none.
pub fn notes(report: &TestReport) -> Result<Vec<Note>, String> {
    match &report.outcome {
        Outcome::Ran { .. } if report.notes.is_empty() => {
            Err("the guest noted no figure".to_owned())
        }
        Outcome::Ran { .. } => report
            .notes
            .iter()
            .map(|note| parse(note).ok_or_else(|| format!("`{note}` is not a figure")))
            .collect(),
        Outcome::Failed { error } => Err(error.clone()),
        Outcome::Rejected { errno, log } => {
            let mut lines = log.lines().rev();
            let last = lines.find(|line| !line.starts_with("processed "));
            let last = last.unwrap_or("the verifier log is empty");
            Err(format!("rejected with errno {errno}: {last}"))
        }
        Outcome::Skipped { feature } => Err(format!("needs {feature}")),
    }
}

fn parse(note: &str) -> Option<Note> {
    let (thousandths, rest) = note.split_once(' ')?;
    let (unit, at) = match rest.split_once(" @ ") {
        None => (rest, None),
        Some((unit, at)) => {
            let (count, of) = at.split_once(' ')?;
            let at = At {
                count: count.parse().ok()?,
                of: of.to_owned(),
            };
            (unit, Some(at))
        }
    };
    Some(Note {
        thousandths: thousandths.parse().ok()?,
        unit: unit.to_owned(),
        at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_value_unit_and_point() {
        let note = parse("620400 instructions").unwrap();
        assert_eq!((note.thousandths, note.at), (620_400, None));
        let note = parse("9000000 prints a second @ 2 CPUs").unwrap();
        assert_eq!(note.unit, "prints a second");
        assert_eq!(note.at.unwrap().to_string(), "2 CPUs");
        let note = parse("1 prints a second @ 1 CPUs").unwrap();
        assert_eq!(note.at.unwrap().to_string(), "1 CPU");
    }

    #[test]
    fn other_notes_are_not_figures() {
        for note in [
            "",
            "620400",
            "-1 instructions",
            "many instructions",
            "1.5 instructions",
            "1 x @ 2",
            "1 x @ two CPUs",
        ] {
            assert_eq!(parse(note), None, "{note}");
        }
    }
}
