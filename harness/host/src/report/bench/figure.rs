// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A figure as a test notes it: thousandths, of what, and, where there are several, at what.
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
    /// How much it is.
    pub thousandths: u64,
    /// Of what.
    pub unit: String,
    /// At what, where it is one of a series.
    pub at: Option<At>,
}

/// A place on a series: `2 CPUs`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// How many.
    pub count: u64,
    /// Of what.
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
            .map(|note| parse(note).ok_or_else(|| format!("`{note}` is no figure")))
            .collect(),
        Outcome::Failed { error } => Err(error.clone()),
        Outcome::Rejected { errno, log } => {
            let mut lines = log.lines().rev();
            let last = lines.find(|line| !line.starts_with("processed "));
            let last = last.unwrap_or("the verifier said nothing");
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
    fn a_note_says_how_much_of_what_and_at_what() {
        let note = parse("620400 instructions").unwrap();
        assert_eq!((note.thousandths, note.at), (620_400, None));
        let note = parse("9000000 prints a second @ 2 CPUs").unwrap();
        assert_eq!(note.unit, "prints a second");
        assert_eq!(note.at.unwrap().to_string(), "2 CPUs");
        let note = parse("1 prints a second @ 1 CPUs").unwrap();
        assert_eq!(note.at.unwrap().to_string(), "1 CPU");
    }

    #[test]
    fn what_is_no_figure_is_not_taken_for_one() {
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
