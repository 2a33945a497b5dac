// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The figures of earlier nights, to show changes. `report.json` keeps them for the next night.

use serde::{Deserialize, Serialize};

use super::{At, Bench, Measurement};

/// Number of nights kept per cell.
const KEPT: usize = 400;

/// The figures of a cell in one night.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Night {
    /// Name of the cell.
    pub cell: String,
    /// Date of the measurement, in UTC.
    pub date: String,
    /// The commit of the harness and the series.
    pub commit: Option<String>,
    /// `uname -r` of the series.
    pub kernel: String,
    /// `uname -r` of mainline.
    pub mainline: Option<String>,
    /// The figures.
    pub figures: Vec<Figure>,
}

/// A figure of one night.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// `<file>__<program>`.
    pub test: String,
    /// The unit.
    pub unit: String,
    /// The point on the axis, where the test gives several figures.
    pub at: Option<At>,
    /// The median of the runs, in thousandths.
    pub ours: u64,
    /// The same for mainline, where it has the figure.
    pub mainline: Option<u64>,
}

impl Night {
    /// The figures of `bench`.
    #[must_use]
    pub fn of(cell: &str, bench: &Bench) -> Night {
        let on = &bench.ours.environment;
        let mainline = bench.mainline.as_ref();
        let figure = |row: &Measurement| Figure {
            test: row.test.clone(),
            unit: row.unit.clone(),
            at: row.at.clone(),
            ours: row.median(),
            mainline: mainline
                .and_then(|figures| figures.like(row))
                .map(Measurement::median),
        };
        Night {
            cell: cell.to_owned(),
            date: on.date.clone(),
            commit: on.commit.clone(),
            kernel: on.kernel.clone(),
            mainline: mainline.map(|figures| figures.environment.kernel.clone()),
            figures: bench.ours.rows.iter().map(figure).collect(),
        }
    }

    /// The figure with the test, unit and point of `row`.
    #[must_use]
    pub fn like(&self, row: &Measurement) -> Option<&Figure> {
        self.figures
            .iter()
            .find(|own| (&own.test, &own.unit, &own.at) == (&row.test, &row.unit, &row.at))
    }
}

/// Adds a night, ordered by date, and removes the oldest ones of its cell beyond the limit. A night
/// with the same cell and date is replaced.
pub fn keep(history: &mut Vec<Night>, night: Night) {
    history.retain(|old| (&old.cell, &old.date) != (&night.cell, &night.date));
    let cell = night.cell.clone();
    history.push(night);
    history.sort_by(|one, other| one.date.cmp(&other.date));
    let of_cell = history.iter().filter(|night| night.cell == cell).count();
    let mut surplus = of_cell.saturating_sub(KEPT);
    history.retain(|night| {
        let goes = night.cell == cell && surplus > 0;
        surplus -= usize::from(goes);
        !goes
    });
}

/// The last night of the cell before `date`.
#[must_use]
pub fn before<'a>(history: &'a [Night], cell: &str, date: &str) -> Option<&'a Night> {
    history
        .iter()
        .rev()
        .find(|night| night.cell == cell && night.date.as_str() < date)
}

#[cfg(test)]
mod tests {
    use super::super::tests::bench;
    use super::*;

    fn night(cell: &str, date: &str, ours: &str) -> Night {
        let mut bench = bench(&[("a__x", &[ours])], &[("a__x", &["9 instructions"])]);
        bench.ours.environment.date = date.to_owned();
        Night::of(cell, &bench)
    }

    #[test]
    fn a_night_is_kept_once_and_found_by_the_next() {
        let mut history = Vec::new();
        for (cell, date, ours) in [
            ("c", "2026-11-22", "7 instructions"),
            ("c", "2026-11-21", "5 instructions"),
            ("c", "2026-11-21", "6 instructions"),
            ("d", "2026-11-21", "1 instructions"),
        ] {
            keep(&mut history, night(cell, date, ours));
        }
        assert_eq!(history.len(), 3);
        let old = before(&history, "c", "2026-11-22").unwrap();
        assert_eq!((old.figures[0].ours, old.figures[0].mainline), (6, Some(9)));
        assert!(before(&history, "c", "2026-11-21").is_none());
    }

    #[test]
    fn the_oldest_night_of_a_cell_is_removed_and_other_cells_keep_theirs() {
        let mut history = vec![night("d", "0000", "1 instructions")];
        for day in 0..=KEPT {
            keep(
                &mut history,
                night("c", &format!("{day:04}"), "1 instructions"),
            );
        }
        assert_eq!(history.len(), KEPT + 1);
        assert!(before(&history, "d", "0001").is_some());
        assert!(before(&history, "c", "0001").is_none());
        assert!(before(&history, "c", "0002").is_some());
    }
}
