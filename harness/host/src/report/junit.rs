// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The result of a run as JUnit XML, `JUNIT=file`.

use std::time::Duration;

use anyhow::{Context as _, Result};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::judge::snapshot;
use crate::report::run_report::{RunResult, TestOutcome};

/// The name of the test case for faults of the run as a whole.
const RUN: &str = "run";

/// The result as XML: one suite per file of `selftests/`, one test case per program.
///
/// # Errors
///
/// Where the XML cannot be written.
pub fn render(result: &RunResult) -> Result<String> {
    let on = &result.environment;
    let mut report = Report::new(format!("bpf-streams {} {} {}", on.base, on.arch, on.config));
    report.set_time(seconds(result.total_seconds));
    for (file, tests) in result.by_file() {
        let mut suite = TestSuite::new(file);
        suite.add_test_cases(tests.into_iter().map(test_case));
        report.add_test_suite(suite);
    }
    let mut suite = TestSuite::new(RUN);
    suite.add_test_case(of_run(result));
    report.add_test_suite(suite);
    report.to_string().context("cannot write the result as XML")
}

fn test_case(test: &TestOutcome) -> TestCase {
    let (file, program) = snapshot::split(&test.test);
    let mut case = TestCase::new(program, status(test));
    case.set_classname(file);
    case.set_time(Duration::from_micros(test.micros.unwrap_or(0)));
    case
}

fn status(test: &TestOutcome) -> TestCaseStatus {
    if let Some(why) = &test.skipped {
        let mut status = TestCaseStatus::skipped();
        status.set_message(format!("no {why}"));
        return status;
    }
    if let Some(why) = &test.not_in_mainline {
        let mut status = TestCaseStatus::skipped();
        status.set_message(format!("not in mainline: {why}"));
        return status;
    }
    match &test.failure {
        None => TestCaseStatus::success(),
        Some(failure) => failed(failure, test.raw.as_deref().unwrap_or_default()),
    }
}

fn failed(message: &str, description: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message).set_description(description);
    status
}

/// A test case that fails if the run as a whole has a fault.
fn of_run(result: &RunResult) -> TestCase {
    let wrong: Vec<&str> = result.wrong_with_run().collect();
    let status = match wrong.first() {
        None => TestCaseStatus::success(),
        Some(first) => {
            let message = first.lines().next().unwrap_or_default();
            failed(message, &wrong.join("\n"))
        }
    };
    let mut case = TestCase::new(RUN, status);
    case.set_time(seconds(result.guest_seconds));
    case
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::run_report::example;

    #[test]
    fn every_test_and_the_run_are_test_cases() {
        let xml = render(&example()).unwrap();
        for want in [
            r#"<testsuites name="bpf-streams v6.12 x86_64 plain" tests="5" skipped="1" failures="2" errors="0" time="6.500">"#,
            r#"<testsuite name="a" tests="3" skipped="1" errors="0" failures="1">"#,
            r#"<testcase name="x" classname="a" time="0.001"/>"#,
            r#"<testcase name="b" classname="b" time="0.001"/>"#,
            r#"<skipped message="no moon"/>"#,
            r#"<failure message="it differs">returned: 1 &lt;&amp;&gt;"#,
            r#"<failure message="no end line">no end line"#,
        ] {
            assert!(xml.contains(want), "{want}\nis not in\n{xml}");
        }
    }

    #[test]
    fn a_run_without_a_fault_has_no_failure() {
        let mut result = example();
        result.faults.clear();
        result.tests.retain(|test| test.failure.is_none());
        let xml = render(&result).unwrap();
        assert!(
            xml.contains(r#"tests="4" skipped="1" failures="0""#),
            "{xml}"
        );
        assert!(!xml.contains("<failure"), "{xml}");
    }
}
