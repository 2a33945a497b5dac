// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the kernel tree's own `test_progs`; each of its tests is one test here.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use wire::{Bytes, Outcome, TestReport};

/// The names of the tests in `program`.
pub fn names(program: &Path) -> Result<Vec<String>> {
    let output = call(program, &["--list"])?;
    ensure!(
        output.status.success(),
        "`{} --list` failed ({}): {}",
        program.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    let text = String::from_utf8(output.stdout).context("the names of the tests are not UTF-8")?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Runs only the test `name`, and reports its exit status and output.
pub fn run(program: &Path, name: &str) -> TestReport {
    let begun = Instant::now();
    // --test matches substrings
    let output = call(program, &["--allow", name]);
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let (outcome, stdout, stderr) = match output {
        Ok(output) => (outcome(&output), output.stdout, output.stderr),
        Err(error) => (failed(format!("{error:#}")), Vec::new(), Vec::new()),
    };
    TestReport {
        test: name.to_owned(),
        outcome,
        stdout: Bytes(stdout),
        stderr: Bytes(stderr),
        not_in_mainline: None,
        notes: Vec::new(),
        micros,
    }
}

fn call(program: &Path, args: &[&str]) -> Result<Output> {
    Command::new(program)
        .args(args)
        .output()
        .with_context(|| format!("cannot run {}", program.display()))
}

fn outcome(output: &Output) -> Outcome {
    match output.status.code() {
        Some(code) => Outcome::Ran {
            retval: Some(code.into()),
        },
        None => failed(format!("test_progs ended by {}", output.status)),
    }
}

fn failed(error: String) -> Outcome {
    Outcome::Failed { error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_status_is_reported_with_what_was_printed() {
        // `sh --allow` fails with a message about an unknown option
        let report = run(Path::new("/bin/sh"), "stream");
        assert!(matches!(report.outcome, Outcome::Ran { retval: Some(code) } if code != 0));
        assert!(!report.stderr.0.is_empty());
        assert_eq!(report.test, "stream");
    }

    #[test]
    fn a_missing_program_is_a_failure() {
        let report = run(Path::new("/no/test_progs"), "stream");
        assert!(
            matches!(report.outcome, Outcome::Failed { error } if error.contains("/no/test_progs"))
        );
        names(Path::new("/bin/false")).unwrap_err();
    }
}
