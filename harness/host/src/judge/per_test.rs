// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Compares each announced test of a run with its snapshot, and parses the kernel's reports in its
//! stderr.

use reports::{Item, ParseError};
use wire::{Outcome, TestReport};

use crate::judge::snapshot::{self, Comparison, Pending, Snapshots};
use crate::judge::verdict::Verdict;
use crate::queue::base::REFERENCE;

/// The result of one test.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// `<file>__<program>`.
    pub name: String,
    /// The guest's report, if there is one.
    pub report: Option<TestReport>,
    /// Why the test failed; none where it did not.
    pub failure: Option<String>,
    /// The missing feature because of which the test was skipped.
    pub skipped: Option<String>,
    /// The reason of `__not_in_mainline`, in a run of mainline; the test is then not compared with its
    /// snapshot.
    pub not_in_mainline: Option<String>,
    /// The approved text, where the test failed and has a snapshot.
    pub approved: Option<String>,
    /// The kernel's reports in the stderr of the test.
    pub kernel: Vec<Item>,
}

impl TestResult {
    /// Whether the test was not reported, could not run, or differs from its snapshot.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.report.is_none() || self.failure.is_some()
    }

    /// Whether the test was reported, ran, and gave the approved text.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.report.is_some() && self.failure.is_none() && !self.is_skipped()
    }

    /// Whether the test was skipped or is marked `__not_in_mainline`: it neither passed nor failed.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        self.skipped.is_some() || self.not_in_mainline.is_some()
    }
}

/// The feature because of which a test was skipped.
fn skipped(report: &TestReport) -> Option<String> {
    match &report.outcome {
        Outcome::Skipped { feature } => Some(feature.clone()),
        _ => None,
    }
}

/// The result of every announced test, in announced order.
#[must_use]
pub fn all(verdict: &Verdict, store: &Snapshots) -> Vec<TestResult> {
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
            None => (Some("the guest never reported it".to_owned()), Vec::new()),
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

/// The failure of a test with `__not_in_mainline` whose text in mainline equals the snapshot: the mark
/// is stale.
fn stale_mark(report: &TestReport, store: &Snapshots) -> Option<String> {
    let approved = store.approved(&report.test)?;
    let text = snapshot::render(report).ok()?;
    (text.trim_end() == approved).then(|| {
        format!(
            "it is marked `__not_in_mainline`, but its text in mainline equals the snapshot; \
             remove the mark in {}",
            source(&report.test)
        )
    })
}

/// Why a test failed, if it did, and the kernel's reports in its stderr. A report that cannot be parsed
/// fails the test, whatever the snapshot holds.
fn judge(report: &TestReport, store: &Snapshots) -> (Option<String>, Vec<Item>) {
    match reports::parse(&report.stderr.0) {
        Ok(kernel) => (failure(report, store), kernel),
        Err(error) => {
            let first =
                failure(report, store).map_or_else(String::new, |why| format!("{why}; and "));
            (Some(format!("{first}{}", unparsed(&error))), Vec::new())
        }
    }
}

fn unparsed(error: &ParseError) -> String {
    format!("its stderr has a kernel report that cannot be parsed: {error}")
}

fn failure(report: &TestReport, store: &Snapshots) -> Option<String> {
    if let Outcome::Failed { error } = &report.outcome {
        return Some(format!("the agent could not run it: {error}"));
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
        Comparison::Missing(pending) => {
            Some(format!("it has no snapshot yet; {}", review(&pending)))
        }
        Comparison::Different(pending) => Some(format!(
            "it differs from its snapshot; {}",
            review(&pending)
        )),
        Comparison::Unusable(why) => Some(format!("its snapshot cannot be used: {why}")),
    }
}

/// The text in mainline is compared with the snapshot of the series; it is never written for review.
fn in_mainline(report: &TestReport, text: &str, store: &Snapshots) -> Option<String> {
    match store.approved(&report.test) {
        None => Some("it has no snapshot yet; run it with the series first".to_owned()),
        Some(approved) if approved == text.trim_end() => None,
        Some(_) => Some(format!(
            "its text in mainline differs from the snapshot; correct the series, or add \
             `__not_in_mainline(\"why\")` in {}",
            source(&report.test)
        )),
    }
}

fn review(pending: &Pending) -> &'static str {
    match pending {
        Some(_) => "if the new text is right, approve it with `make review`",
        None => {
            "CI writes no pending text; run it without CI and approve the new text with `make review`"
        }
    }
}

/// The file that defines a test, relative to the clone.
fn source(test: &str) -> String {
    format!("selftests/{}.bpf.c", snapshot::split(test).0)
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

    /// The result of `a__x` with the snapshot `approved`.
    fn result(report: Option<TestReport>, approved: &str) -> TestResult {
        result_on(&[], report, approved)
    }

    /// The same in a run with these names of variants.
    fn result_on(of_run: &[&str], report: Option<TestReport>, approved: &str) -> TestResult {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = format!("---\nsource: x\n---\n{approved}");
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/x.snap"), snapshot).unwrap();
        let store = Snapshots {
            dir: dir.path().to_owned(),
            known: [].into(),
            of_run: of_run.iter().map(|&name| name.to_owned()).collect(),
            write_pending: false,
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
    fn a_test_with_the_approved_text_passes() {
        let ran = report(Outcome::Ran { retval: Some(0) }, b"text\n");
        let approved = "returned: 0\n\nstdout:\n| text\n\nstderr: empty\n";
        let result = result(Some(ran), approved);
        assert!(result.passed() && result.approved.is_none());
    }

    #[test]
    fn a_failed_test_keeps_the_approved_text() {
        let ran = report(Outcome::Ran { retval: Some(1) }, b"text\n");
        let approved = "returned: 0\n\nstdout:\n| text\n\nstderr: empty";
        let result = result(Some(ran), approved);
        assert!(!result.passed());
        assert_eq!(result.approved.as_deref(), Some(approved));
    }

    #[test]
    fn a_test_that_was_not_reported_fails() {
        assert!(why(&result(None, "")).contains("never reported it"));
    }

    #[test]
    fn a_test_that_could_not_run_fails_whatever_was_approved() {
        let failed = report(
            Outcome::Failed {
                error: "no such trigger".to_owned(),
            },
            b"",
        );
        let result = result(Some(failed), "failed: no such trigger\n");
        assert!(why(&result).contains("could not run it: no such trigger"));
    }

    #[test]
    fn a_test_whose_feature_is_missing_has_neither_passed_nor_failed() {
        let skipped = report(
            Outcome::Skipped {
                feature: "moon".to_owned(),
            },
            b"",
        );
        let result = result(Some(skipped), "");
        assert!(!result.passed() && !result.failed());
        assert_eq!(result.skipped.as_deref(), Some("moon"));
    }

    #[test]
    fn a_test_marked_not_in_mainline_neither_passes_nor_fails_there() {
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
    fn the_text_in_mainline_is_compared_and_never_offered_for_review() {
        let ran = |stdout| Some(report(Outcome::Ran { retval: Some(0) }, stdout));
        let approved = "returned: 0\n\nstdout: empty\n\nstderr: empty";
        assert!(result_on(&["mainline"], ran(b""), approved).passed());
        let other = result_on(&["mainline"], ran(b"more"), approved);
        assert!(why(&other).contains("or add `__not_in_mainline(\"why\")` in selftests/a.bpf.c"));
    }

    #[test]
    fn a_stale_not_in_mainline_mark_is_a_failure() {
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
    fn reports_of_the_kernel_are_parsed() {
        let mut ran = report(Outcome::Ran { retval: Some(0) }, b"");
        ran.stderr = Bytes(DUMP.into());
        let result = result(Some(ran), DUMP_SHOWN);
        assert!(result.passed(), "{:?}", result.failure);
        assert_eq!(result.kernel.len(), 1);
    }

    #[test]
    fn a_report_that_cannot_be_parsed_fails_whatever_was_approved() {
        let torn = DUMP.trim_end_matches('\n').to_owned() + "\n";
        let mut ran = report(Outcome::Ran { retval: Some(0) }, b"");
        ran.stderr = Bytes(torn.into());
        let result = result(Some(ran), DUMP_SHOWN.trim_end_matches("|\n"));
        assert_eq!(
            why(&result),
            "its stderr has a kernel report that cannot be parsed: line 3: the report is cut off: \
             the empty line at the end of the stack dump is missing behind `bpf_prog_0123456789abcdef_x+0x1/0x2`"
        );
        assert!(result.kernel.is_empty());
    }

    #[test]
    fn the_source_of_a_test_is_the_first_part_of_its_name() {
        assert_eq!(source("test_run__xdp_program"), "selftests/test_run.bpf.c");
        assert_eq!(source("a__b__c"), "selftests/a.bpf.c");
    }
}
