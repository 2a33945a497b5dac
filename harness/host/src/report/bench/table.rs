// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The figures as text: a block per unit, a line per figure.

use std::fmt::Write;

use super::aims::Aims;
use super::{Bench, Figures, Measurement};

/// The table; with mainline's figures, also the ratio and its aim.
#[must_use]
pub fn table(bench: &Bench, aims: &Aims) -> String {
    let ours = &bench.ours;
    let width = width(ours);
    let mut out = String::new();
    // Writing to a String cannot fail.
    for unit in units(ours) {
        let _ = write!(out, "{unit:width$}  {:>12}", ours.environment.base);
        if bench.mainline.is_some() {
            let _ = write!(out, "  {:>12}  {:>5}  aim", "mainline", "ratio");
        }
        out.push('\n');
        for row in ours.rows.iter().filter(|row| row.unit == unit) {
            let _ = write!(out, "{:width$}  {:>12}", row.name(), shown(row.median()));
            if let Some(mainline) = &bench.mainline {
                let _ = write!(out, "{}", compared(row, mainline, aims));
            }
            out.push('\n');
        }
        out.push('\n');
    }
    for figures in [Some(ours), bench.mainline.as_ref()].into_iter().flatten() {
        let _ = writeln!(out, "{}", line(figures));
    }
    out
}

/// The units, in the order of the figures.
#[must_use]
pub fn units(figures: &Figures) -> Vec<&str> {
    let mut units = Vec::new();
    for row in &figures.rows {
        if !units.contains(&row.unit.as_str()) {
            units.push(&row.unit);
        }
    }
    units
}

fn width(figures: &Figures) -> usize {
    let names = figures.rows.iter().map(|row| row.name().len());
    let units = figures.rows.iter().map(|row| row.unit.len());
    names.chain(units).max().unwrap_or(0)
}

/// Mainline's figure, the ratio to it, and the aim.
fn compared(row: &Measurement, mainline: &Figures, aims: &Aims) -> String {
    let Some(other) = mainline.like(row) else {
        let why = mainline.not_in_mainline.get(&row.test);
        let why = why.map_or("", String::as_str);
        return format!("  {:>12}  {:>5}  {why}", "-", "-")
            .trim_end()
            .to_owned();
    };
    let shown = shown(other.median());
    let line = match ratio(row, other) {
        None => format!("  {shown:>12}  {:>5}", "-"),
        Some(ratio) => {
            let aim = aims.of(&row.test).map_or_else(String::new, |aim| {
                let over = if ratio > aim { "  OVER" } else { "" };
                format!("{aim:.2}{over}")
            });
            format!("  {shown:>12}  {ratio:>5.2}  {aim}")
        }
    };
    line.trim_end().to_owned()
}

/// The ratio to mainline, rounded to hundredths as shown; none where mainline's figure is 0.
#[must_use]
pub fn ratio(ours: &Measurement, mainline: &Measurement) -> Option<f64> {
    let (ours, mainline) = (ours.median(), mainline.median());
    (mainline > 0).then(|| (ours as f64 / mainline as f64 * 100.0).round() / 100.0)
}

/// A figure without fraction; with tenths below 100.
#[must_use]
pub fn shown(thousandths: u64) -> String {
    let figure = thousandths as f64 / 1000.0;
    match thousandths {
        0..100_000 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

/// Kernel, machine, date and spread of the figures.
#[must_use]
pub fn line(figures: &Figures) -> String {
    let on = &figures.environment;
    let source = on
        .package
        .as_ref()
        .map_or_else(String::new, |package| format!(" ({package})"));
    let spread = if figures.runs > 1 {
        let counted = figures.spread(|row| row.unit.starts_with("instructions"));
        let timed = figures.spread(|row| !row.unit.starts_with("instructions"));
        format!(
            "; {} runs, which differ by {:.3} % at most in instructions and by {:.0} % in the rest",
            figures.runs,
            counted * 100.0,
            timed * 100.0
        )
    } else {
        String::new()
    };
    format!(
        "{}: {}{source} on {}, {}{spread}",
        on.base, on.kernel, on.arch, on.date
    )
}
