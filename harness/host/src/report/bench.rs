// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The figures of `make bench`, of the series and of mainline.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::judge::verdict::{Fault, Verdict};
use crate::report::run_report::Environment;
use figure::Note;

pub mod aims;
mod figure;
pub mod history;
pub mod plot;
mod table;

pub use figure::At;
pub use table::{line, ratio, shown, table, units};

/// The result of `make bench`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bench {
    /// The figures of the series.
    pub ours: Figures,
    /// The figures of mainline, measured alternately on the same machine.
    pub mainline: Option<Figures>,
}

impl Bench {
    /// Everything wrong except figures over their aim.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let all = [Some(&self.ours), self.mainline.as_ref()];
        all.into_iter()
            .flatten()
            .flat_map(Figures::troubles)
            .collect()
    }
}

/// The figures of one base.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Kernel, tools and machine of the last run.
    pub environment: Environment,
    /// Number of runs.
    pub runs: usize,
    /// The measurements, in the order of the guest.
    pub rows: Vec<Measurement>,
    /// Tests without a figure, each with the reason.
    pub missing: BTreeMap<String, String>,
    /// Tests of features that mainline lacks, each with the reason.
    pub not_in_mainline: BTreeMap<String, String>,
    /// Faults of the runs as a whole.
    pub faults: Vec<String>,
}

/// One figure, with its value in each run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// `<file>__<program>`.
    pub test: String,
    /// The unit.
    pub unit: String,
    /// The point on the axis, where the test gives several figures.
    pub at: Option<At>,
    /// The value of each run, in thousandths.
    pub runs: Vec<u64>,
}

impl Measurement {
    /// The median of the runs.
    #[must_use]
    pub fn median(&self) -> u64 {
        let mut runs = self.runs.clone();
        runs.sort_unstable();
        runs.get(runs.len() / 2).copied().unwrap_or(0)
    }

    /// The name, with the point on the axis.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.at {
            None => self.test.clone(),
            Some(at) => format!("{}, {at}", self.test),
        }
    }

    fn is(&self, test: &str, note: &Note) -> bool {
        self.test == test && self.unit == note.unit && self.at == note.at
    }

    /// The spread of the runs, relative to the largest.
    fn spread(&self) -> f64 {
        match (self.runs.iter().min(), self.runs.iter().max()) {
            (Some(&least), Some(&most)) if most > 0 => (most - least) as f64 / most as f64,
            _ => 0.0,
        }
    }
}

impl Figures {
    /// Adds a run of all figures, or of a part that no other run of the same round has.
    pub fn add(&mut self, verdict: &Verdict, environment: &Environment) {
        self.environment = environment.clone();
        let faults = verdict.faults.iter().filter(|fault| !is_selection(fault));
        self.faults.extend(faults.map(ToString::to_string));
        for test in &verdict.announced {
            let notes = match verdict.report(test) {
                Some(report) => {
                    if let Some(why) = &report.not_in_mainline {
                        self.not_in_mainline.insert(test.clone(), why.clone());
                    }
                    figure::notes(report)
                }
                None => Err("the guest never reported it".to_owned()),
            };
            match notes {
                Ok(notes) => notes.into_iter().for_each(|note| self.take(test, note)),
                Err(why) => {
                    self.missing.insert(test.clone(), why);
                }
            }
        }
        self.runs = self
            .rows
            .iter()
            .map(|row| row.runs.len())
            .max()
            .unwrap_or(0);
    }

    fn take(&mut self, test: &str, note: Note) {
        match self.rows.iter_mut().find(|row| row.is(test, &note)) {
            Some(row) => row.runs.push(note.thousandths),
            None => self.rows.push(Measurement {
                test: test.to_owned(),
                unit: note.unit,
                at: note.at,
                runs: vec![note.thousandths],
            }),
        }
    }

    /// The measurement of these runs with the test, unit and point of `row`.
    #[must_use]
    pub fn like(&self, row: &Measurement) -> Option<&Measurement> {
        self.rows
            .iter()
            .find(|own| (&own.test, &own.unit, &own.at) == (&row.test, &row.unit, &row.at))
    }

    /// Problems, one line each: a failed run, a figure that is missing without a reason or in some
    /// runs.
    fn troubles(&self) -> Vec<String> {
        let base = &self.environment.base;
        let is_mainline = base == crate::queue::base::REFERENCE;
        let mut troubles: Vec<String> = self
            .faults
            .iter()
            .map(|fault| format!("{base}: {fault}"))
            .collect();
        for (test, why) in &self.missing {
            if !is_mainline || !self.not_in_mainline.contains_key(test) {
                troubles.push(format!("{base}: {test}: {why}"));
            }
        }
        for row in self.rows.iter().filter(|row| row.runs.len() < self.runs) {
            troubles.push(format!("{base}: {} is missing in a run", row.name()));
        }
        if self.rows.is_empty() {
            troubles.push(format!("{base}: no figure was taken"));
        }
        troubles
    }

    /// The largest spread of the selected measurements.
    fn spread(&self, which: impl Fn(&Measurement) -> bool) -> f64 {
        let spreads = self
            .rows
            .iter()
            .filter(|row| which(row))
            .map(Measurement::spread);
        spreads.fold(0.0, f64::max)
    }
}

/// Whether the only fault is a selection without a test in this run. Costs and scale are separate runs;
/// a selection that matches neither gives no figure, which is a problem.
fn is_selection(fault: &Fault) -> bool {
    matches!(fault, Fault::NoTests { filter: Some(_) })
}

#[cfg(test)]
pub(crate) mod tests;
