// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The figures of `make bench`, ours beside mainline's.

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

/// What `make bench` has found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bench {
    /// Of the base.
    pub ours: Figures,
    /// Of mainline, taken by turns with ours on the same machine.
    pub mainline: Option<Figures>,
}

impl Bench {
    /// What is wrong with it, but for what it costs.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let all = [Some(&self.ours), self.mainline.as_ref()];
        all.into_iter()
            .flatten()
            .flat_map(Figures::troubles)
            .collect()
    }
}

/// What the runs of a base gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// What the last run was made with.
    pub environment: Environment,
    /// How many runs there were of every figure.
    pub runs: usize,
    /// In the order in which the guest gave them.
    pub rows: Vec<Measurement>,
    /// Why a test has no figure, by its name.
    pub missing: BTreeMap<String, String>,
    /// Why mainline does not have what a test takes the cost of, by its name.
    pub not_in_mainline: BTreeMap<String, String>,
    /// What was wrong with a run as a whole.
    pub faults: Vec<String>,
}

/// One figure, from every run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// `<file>__<program>`.
    pub test: String,
    /// What it is of.
    pub unit: String,
    /// Where on its series it stands, where it is one of several.
    pub at: Option<At>,
    /// Thousandths, one a run.
    pub runs: Vec<u64>,
}

impl Measurement {
    /// That of the runs.
    #[must_use]
    pub fn median(&self) -> u64 {
        let mut runs = self.runs.clone();
        runs.sort_unstable();
        runs.get(runs.len() / 2).copied().unwrap_or(0)
    }

    /// Its name where there is no table around it.
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

    /// How far its runs lie apart, as a part of the largest.
    fn spread(&self) -> f64 {
        match (self.runs.iter().min(), self.runs.iter().max()) {
            (Some(&least), Some(&most)) if most > 0 => (most - least) as f64 / most as f64,
            _ => 0.0,
        }
    }
}

impl Figures {
    /// Takes a run in: of all figures, or of a part of them that no other run of the same round has.
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
                None => Err("it was never reported".to_owned()),
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

    /// The same figure as `row`, of these runs.
    #[must_use]
    pub fn like(&self, row: &Measurement) -> Option<&Measurement> {
        self.rows
            .iter()
            .find(|own| (&own.test, &own.unit, &own.at) == (&row.test, &row.unit, &row.at))
    }

    /// What is wrong, a line each: a run that failed, a figure that is missing without a reason, or
    /// that not every run gave.
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

    /// How far the runs of the rows of a unit lie apart, at most.
    fn spread(&self, which: impl Fn(&Measurement) -> bool) -> f64 {
        let spreads = self
            .rows
            .iter()
            .filter(|row| which(row))
            .map(Measurement::spread);
        spreads.fold(0.0, f64::max)
    }
}

/// Whether nothing is wrong but that a selection has chosen nothing of this run. Costs and scale are
/// runs of their own; where it has chosen nothing of either, there is no figure, which is a trouble.
fn is_selection(fault: &Fault) -> bool {
    matches!(fault, Fault::NoTests { filter: Some(_) })
}

#[cfg(test)]
pub(crate) mod tests;
