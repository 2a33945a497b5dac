// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Holds each announced test of a run against its snapshot, and takes what the kernel reported in it
//! out of its stderr.

use reports::{Item, ParseError};
use wire::{Outcome, TestReport};

use crate::judge::snapshot::{self, Comparison, Pending, Store};
use crate::judge::verdict::Verdict;
use crate::queue::base::REFERENCE;

/// What came of one test.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// `<file>__<program>`.
    pub name: String,
    /// What the guest reported of it, if it did.
    pub report: Option<TestReport>,
    /// Why it has failed, if it has.
    pub failure: Option<String>,
    /// The feature that it needs and the guest lacks, where it was left out for that.
    pub skipped: Option<String>,
    /// Why it is not held against its snapshot, where mainline was run and its file says that it
    /// does otherwise there.
    pub not_in_mainline: Option<String>,
    /// The text that was approved, where the test has failed and there is one.
    pub approved: Option<String>,
    /// What the kernel itself wrote to its stderr.
    pub kernel: Vec<Item>,
}

impl TestResult {
    /// Whether the test was not reported, not carried out, or did what was not approved.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.report.is_none() || self.failure.is_some()
    }

    /// Whether the test was reported, carried out, and did what was approved.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.report.is_some() && self.failure.is_none() && !self.left_out()
    }

    /// Whether the test has neither passed nor failed: what it shows is not to be had here.
    #[must_use]
    pub fn left_out(&self) -> bool {
        self.skipped.is_some() || self.not_in_mainline.is_some()
    }
}

/// The feature that a test was left out for.
fn skipped(report: &TestReport) -> Option<String> {
    match &report.outcome {
        Outcome::Skipped { feature } => Some(feature.clone()),
        _ => None,
    }
}

/// The result of every announced test, in the order in which they were announced.
#[must_use]
pub fn all(verdict: &Verdict, store: &Store) -> Vec<TestResult> {
    let in_mainline = store.of_run.contains(REFERENCE);
    let result = |name: &String| {
        let report = verdict.report(name).cloned();
        let marked = report
            .as_ref()
            .and_then(|report| report.not_in_mainline.clone())
            .filter(|_| in_mainline);
        let (failure, kernel) = match &report {
            Some(report) if marked.is_some() => (stale_mark(report, store), Vec::new()),
            Some(report) => judge(report, store),
            None => (Some("it was never reported".to_owned()), Vec::new()),
        };
        TestResult {
            name: name.clone(),
            skipped: report
                .as_ref()
                .filter(|_| marked.is_none())
                .and_then(skipped),
            not_in_mainline: marked.filter(|_| failure.is_none()),
            approved: failure.as_ref().and_then(|_| store.approved(name)),
            report,
            failure,
            kernel,
        }
    };
    verdict.announced.iter().map(result).collect()
}

/// What is wrong with a test's `__not_in_mainline`, if mainline does the same after all: then the
/// test has to be held against its snapshot there, too.
fn stale_mark(report: &TestReport, store: &Store) -> Option<String> {
    let approved = store.approved(&report.test)?;
    let text = snapshot::render(report).ok()?;
    (text.trim_end() == approved).then(|| {
        format!(
            "its file says `__not_in_mainline`, but mainline did just what its snapshot holds; \
             remove the mark in {}",
            source(&report.test)
        )
    })
}

/// Why a test has failed, if it has, and what the kernel wrote to its stderr, if that can be
/// understood; a text that cannot be has failed whatever was approved.
fn judge(report: &TestReport, store: &Store) -> (Option<String>, Vec<Item>) {
    match reports::parse(&report.stderr.0) {
        Ok(kernel) => (failure(report, store), kernel),
        Err(broken) => {
            let first =
                failure(report, store).map_or_else(String::new, |why| format!("{why}; and "));
            (Some(format!("{first}{}", told(&broken))), Vec::new())
        }
    }
}

fn told(broken: &ParseError) -> String {
    format!("its stderr holds a report of the kernel's that cannot be understood: {broken}")
}

fn failure(report: &TestReport, store: &Store) -> Option<String> {
    if let Outcome::Failed { error } = &report.outcome {
        return Some(format!("the agent could not carry it out: {error}"));
    }
    if skipped(report).is_some() {
        return None;
    }
    let text = match snapshot::render(report) {
        Ok(text) => text,
        Err(too_large) => return Some(too_large.to_string()),
    };
    if store.of_run.contains(REFERENCE) {
        return in_mainline(report, &text, store);
    }
    match store.compare(&report.test, &source(&report.test), &text) {
        Comparison::Same => None,
        Comparison::Missing(pending) => Some(format!(
            "it has no snapshot: nobody has reviewed it yet; {}",
            review(&pending)
        )),
        Comparison::Different(pending) => Some(format!(
            "it differs from its snapshot; {}",
            review(&pending)
        )),
        Comparison::Unusable(why) => Some(format!("its snapshot cannot be used: {why}")),
    }
}

/// Mainline's text is held against what was approved of ours, and is itself nothing to approve.
fn in_mainline(report: &TestReport, text: &str, store: &Store) -> Option<String> {
    match store.approved(&report.test) {
        None => Some(
            "it has no snapshot: nobody has reviewed it yet; run it with the series first"
                .to_owned(),
        ),
        Some(approved) if approved == text.trim_end() => None,
        Some(_) => Some(format!(
            "mainline does otherwise than its snapshot holds; mend ours, or say \
             `__not_in_mainline(\"why\")` in {}",
            source(&report.test)
        )),
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

/// The file that a test's program stands in, relative to the clone.
fn source(test: &str) -> String {
    let file = test.split_once("__").map_or(test, |(file, _)| file);
    format!("selftests/{file}.bpf.c")
}

#[cfg(test)]
mod tests {
    use wire::Bytes;

    use super::*;

    fn report(outcome: Outcome, stdout: &[u8]) -> TestReport {
        TestReport {
            test: "a__x".to_owned(),
            outcome,
            stdout: Bytes(stdout.to_vec()),
            stderr: Bytes::default(),
            not_in_mainline: None,
            notes: Vec::new(),
            micros: 1,
        }
    }

    /// The result of `a__x` whose snapshot was approved as `approved`.
    fn result(report: Option<TestReport>, approved: &str) -> TestResult {
        result_on(&[], report, approved)
    }

    /// The same in a run of these names.
    fn result_on(of_run: &[&str], report: Option<TestReport>, approved: &str) -> TestResult {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = format!("---\nsource: x\n---\n{approved}");
        std::fs::write(dir.path().join("a__x.snap"), snapshot).unwrap();
        let store = Store {
            dir: dir.path().to_owned(),
            known: [].into(),
            of_run: of_run.iter().map(|&name| name.to_owned()).collect(),
        };
        let verdict = Verdict {
            announced: vec!["a__x".to_owned()],
            reports: report.into_iter().collect(),
            ..Verdict::default()
        };
        all(&verdict, &store).remove(0)
    }

    fn why(result: &TestResult) -> &str {
        assert!(!result.passed());
        result.failure.as_deref().unwrap_or_default()
    }

    #[test]
    fn a_test_passes_if_it_did_what_was_approved() {
        let ran = report(Outcome::Ran { retval: Some(0) }, b"text\n");
        let approved = "returned: 0\n\nstdout:\n| text\n\nstderr: empty\n";
        let result = result(Some(ran), approved);
        assert!(result.passed() && result.approved.is_none());
    }

    #[test]
    fn a_test_that_has_failed_keeps_what_was_approved() {
        let ran = report(Outcome::Ran { retval: Some(1) }, b"text\n");
        let approved = "returned: 0\n\nstdout:\n| text\n\nstderr: empty";
        let result = result(Some(ran), approved);
        assert!(!result.passed());
        assert_eq!(result.approved.as_deref(), Some(approved));
    }

    #[test]
    fn a_test_that_was_not_reported_fails() {
        assert!(why(&result(None, "")).contains("never reported"));
    }

    #[test]
    fn a_test_that_could_not_be_carried_out_fails_whatever_was_approved() {
        let failed = report(
            Outcome::Failed {
                error: "no such trigger".to_owned(),
            },
            b"",
        );
        let result = result(Some(failed), "failed: no such trigger\n");
        assert!(why(&result).contains("could not carry it out: no such trigger"));
    }

    #[test]
    fn a_test_whose_feature_is_missing_has_neither_passed_nor_failed() {
        let left_out = report(
            Outcome::Skipped {
                feature: "moon".to_owned(),
            },
            b"",
        );
        let result = result(Some(left_out), "");
        assert!(!result.passed() && !result.failed());
        assert_eq!(result.skipped.as_deref(), Some("moon"));
    }

    #[test]
    fn what_mainline_does_otherwise_has_neither_passed_nor_failed_there() {
        let mut marked = report(Outcome::Ran { retval: Some(1) }, b"");
        marked.not_in_mainline = Some("it has none".to_owned());
        let approved = "returned: 0\n\nstdout: empty\n\nstderr: empty\n";
        let mainline = result_on(&["mainline"], Some(marked.clone()), approved);
        assert!(!mainline.passed() && !mainline.failed());
        assert_eq!(mainline.not_in_mainline.as_deref(), Some("it has none"));
        let ours = result_on(&["v6.12"], Some(marked), approved);
        assert!(ours.failed() && ours.not_in_mainline.is_none());
    }

    #[test]
    fn mainlines_text_is_held_against_ours_and_never_offered_for_review() {
        let ran = |stdout| Some(report(Outcome::Ran { retval: Some(0) }, stdout));
        let approved = "returned: 0\n\nstdout: empty\n\nstderr: empty";
        assert!(result_on(&["mainline"], ran(b""), approved).passed());
        let other = result_on(&["mainline"], ran(b"more"), approved);
        assert!(why(&other).contains("or say `__not_in_mainline(\"why\")` in selftests/a.bpf.c"));
    }

    #[test]
    fn a_mark_that_mainline_has_caught_up_with_is_a_failure() {
        let mut marked = report(Outcome::Ran { retval: Some(0) }, b"");
        marked.not_in_mainline = Some("it has none".to_owned());
        let approved = "returned: 0\n\nstdout: empty\n\nstderr: empty\n";
        let result = result_on(&["mainline"], Some(marked), approved);
        assert!(why(&result).contains("remove the mark in selftests/a.bpf.c"));
        assert!(result.failed() && result.not_in_mainline.is_none());
    }

    #[test]
    fn a_stream_larger_than_a_snapshot_fails() {
        let lines: String = (0..9000).map(|i| format!("{i}\n")).collect();
        let ran = report(Outcome::Ran { retval: Some(0) }, lines.as_bytes());
        assert!(why(&result(Some(ran), "")).contains("its stdout of 43890 bytes"));
    }

    const DUMP: &str =
        "CPU: 0 UID: 0 PID: 7 Comm: x\nCall trace:\nbpf_prog_0123456789abcdef_x+0x1/0x2\n\n";
    const DUMP_SHOWN: &str = "returned: 0\n\nstdout: empty\n\nstderr:\n| CPU: <cpu1> UID: 0 PID: <pid1> Comm: x\n| Call trace:\n| bpf_prog_<tag1>_x+<off1>\n|\n";

    #[test]
    fn what_the_kernel_reported_is_kept_as_data() {
        let mut ran = report(Outcome::Ran { retval: Some(0) }, b"");
        ran.stderr = Bytes(DUMP.into());
        let result = result(Some(ran), DUMP_SHOWN);
        assert!(result.passed(), "{:?}", result.failure);
        assert_eq!(result.kernel.len(), 1);
    }

    #[test]
    fn a_report_that_cannot_be_understood_fails_whatever_was_approved() {
        let torn = DUMP.trim_end_matches('\n').to_owned() + "\n";
        let mut ran = report(Outcome::Ran { retval: Some(0) }, b"");
        ran.stderr = Bytes(torn.into());
        let result = result(Some(ran), DUMP_SHOWN.trim_end_matches("|\n"));
        assert_eq!(
            why(&result),
            "its stderr holds a report of the kernel's that cannot be understood: line 3: the report is cut off: \
             the empty line at the end of the stack dump is missing behind `bpf_prog_0123456789abcdef_x+0x1/0x2`"
        );
        assert!(result.kernel.is_empty());
    }

    #[test]
    fn the_source_of_a_test_is_named_by_its_first_half() {
        assert_eq!(source("test_run__xdp_program"), "selftests/test_run.bpf.c");
        assert_eq!(source("a__b__c"), "selftests/a.bpf.c");
    }
}
