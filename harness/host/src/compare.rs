// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Holds each announced case of a run against its snapshot.

use wire::{CaseReport, Outcome};

use crate::snapshot::{self, Comparison, Pending, Store};
use crate::verdict::Verdict;

/// What came of one case.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// `<file>__<program>`.
    pub name: String,
    /// What the guest reported of it, if it did.
    pub report: Option<CaseReport>,
    /// Why it has failed, if it has.
    pub failure: Option<String>,
}

impl CaseResult {
    /// Whether the case was reported, carried out, and did what was approved.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.report.is_some() && self.failure.is_none()
    }
}

/// The result of every announced case, in the order in which they were announced.
#[must_use]
pub fn all(verdict: &Verdict, store: &Store) -> Vec<CaseResult> {
    let result = |name: &String| {
        let report = verdict.report(name).cloned();
        let failure = match &report {
            Some(report) => failure(report, store),
            None => Some("it was never reported".to_owned()),
        };
        CaseResult {
            name: name.clone(),
            report,
            failure,
        }
    };
    verdict.announced.iter().map(result).collect()
}

fn failure(report: &CaseReport, store: &Store) -> Option<String> {
    if let Outcome::Failed { error } = &report.outcome {
        return Some(format!("the agent could not carry it out: {error}"));
    }
    let text = match snapshot::render(report) {
        Ok(text) => text,
        Err(too_large) => return Some(too_large.to_string()),
    };
    match store.compare(&report.case, &source(&report.case), &text) {
        Comparison::Same => None,
        Comparison::Missing(pending) => Some(format!(
            "it has no snapshot: nobody has reviewed it yet; {}",
            review(&pending)
        )),
        Comparison::Different(pending) => Some(format!(
            "it differs from its snapshot, as shown above; {}",
            review(&pending)
        )),
        Comparison::Unusable(why) => Some(format!("its snapshot cannot be used: {why}")),
    }
}

fn review(pending: &Pending) -> &'static str {
    match pending {
        Some(_) => "if the new text is right, approve it with `make review`",
        None => {
            "nothing was stored; run it where neither CI nor INSTA_UPDATE is set and approve the new text with `make review`"
        }
    }
}

/// The file that a case's program stands in, relative to the clone.
fn source(case: &str) -> String {
    let file = case.split_once("__").map_or(case, |(file, _)| file);
    format!("selftests/{file}.bpf.c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_of_a_case_is_named_by_its_first_half() {
        assert_eq!(source("test_run__xdp_program"), "selftests/test_run.bpf.c");
        assert_eq!(source("a__b__c"), "selftests/a.bpf.c");
    }
}
