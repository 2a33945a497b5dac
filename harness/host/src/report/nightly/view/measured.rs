// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The figures of a cell for the templates: a table per unit, with the change since the previous night,
//! and the plots.

use anyhow::Result;

use crate::report::bench::history::{self, Night};
use crate::report::bench::plot::{self, Plot};
use crate::report::bench::{Bench, Measurement, line, ratio, shown, units};

/// The figures of a cell.
#[derive(Debug)]
pub struct Measured<'a> {
    pub cell: usize,
    /// Kernels, machine and date of the measurement.
    pub lines: Vec<String>,
    pub tables: Vec<UnitTable<'a>>,
    pub plots: Vec<Plot>,
}

/// The figures of a unit.
#[derive(Debug)]
pub struct UnitTable<'a> {
    pub unit: &'a str,
    pub rows: Vec<FigureRow>,
}

/// One figure.
#[derive(Debug, PartialEq)]
pub struct FigureRow {
    pub name: String,
    pub ours: String,
    pub mainline: String,
    pub ratio: String,
    pub change: String,
}

impl<'a> Measured<'a> {
    /// The figures of the cell with this number and name.
    pub fn of(cell: usize, name: &str, bench: &'a Bench, history: &[Night]) -> Result<Self> {
        let before = history::before(history, name, &bench.ours.environment.date);
        let table = |unit: &'a str| UnitTable {
            unit,
            rows: bench
                .ours
                .rows
                .iter()
                .filter(|row| row.unit == unit)
                .map(|row| FigureRow::of(row, bench, before))
                .collect(),
        };
        Ok(Self {
            cell,
            lines: [Some(&bench.ours), bench.mainline.as_ref()]
                .into_iter()
                .flatten()
                .map(line)
                .collect(),
            tables: units(&bench.ours).into_iter().map(table).collect(),
            plots: plot::all(bench)?,
        })
    }
}

impl FigureRow {
    fn of(row: &Measurement, bench: &Bench, before: Option<&Night>) -> Self {
        let none = || "–".to_owned();
        let mainline = bench.mainline.as_ref().and_then(|all| all.like(row));
        let ratio = mainline.and_then(|other| ratio(row, other));
        Self {
            name: row.name(),
            ours: shown(row.median()),
            mainline: mainline.map_or_else(none, |other| shown(other.median())),
            ratio: ratio.map_or_else(none, |ratio| format!("{ratio:.2}")),
            change: before
                .and_then(|night| night.like(row))
                .map_or_else(none, |old| change(old.ours, row.median())),
        }
    }
}

/// The change in percent; empty where it rounds to nothing.
fn change(old: u64, new: u64) -> String {
    let percent = (new as f64 - old as f64) / (old.max(1) as f64) * 100.0;
    match percent {
        -0.05..0.05 => String::new(),
        _ => format!("{percent:+.1} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::bench::tests::bench;

    #[test]
    fn a_figure_is_shown_with_mainline_and_the_previous_night() {
        let taken = |ours: &str, date: &str| {
            let mut bench = bench(&[("a__x", &[ours])], &[("a__x", &["1000000 instructions"])]);
            bench.ours.environment.date = date.to_owned();
            bench
        };
        let old = taken("400000 instructions", "2026-11-20");
        let new = taken("500000 instructions", "2026-11-21");
        let history = [Night::of("c", &old), Night::of("c", &new)];
        let line = |bench: &Bench, cell| {
            let mut measured = Measured::of(1, cell, bench, &history).unwrap();
            measured.tables.remove(0).rows.remove(0)
        };
        let expected = FigureRow {
            name: "a__x".to_owned(),
            ours: "500".to_owned(),
            mainline: "1000".to_owned(),
            ratio: "0.50".to_owned(),
            change: "+25.0 %".to_owned(),
        };
        assert_eq!(line(&new, "c"), expected);
        assert_eq!(line(&old, "c").change, "–");
        assert_eq!(line(&new, "d").change, "–");
    }

    #[test]
    fn no_change_is_empty() {
        assert_eq!(change(100_000, 100_000), "");
        assert_eq!(change(100_000, 99_000), "-1.0 %");
        assert_eq!(change(0, 0), "");
    }
}
