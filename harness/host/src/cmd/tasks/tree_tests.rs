// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make tree-tests`: runs the selftests that the series adds to the kernel's tree in a guest, with the
//! tree's own `test_progs`. With `TEST=` it runs those tests of the tree whose names match.
//!
//! These tests check themselves; there are no snapshots.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use fs_err as fs;
use regex::Regex;
use wire::{Outcome, TestReport};

use crate::build::agent;
use crate::build::bpftool;
use crate::build::kernel;
use crate::build::selftests::in_tree::{self, InTree};
use crate::cmd::{exit, pipeline};
use crate::env::context::Context;
use crate::env::guest_machine::GuestMachine;
use crate::judge::console;
use crate::judge::verdict::{Expected, Verdict};
use crate::report::matrix::Matrix;
use crate::report::run_report::RunFolder;
use crate::vm::machine::{self, RunSpec, StreamReader, Timeouts, Tools};

/// Lines of the console that are printed for a failed run.
const LAST_LINES: usize = 30;

/// Flags of `make tree-tests`.
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// Run the tree's tests whose name matches this regular expression [default: those of the series]
    #[arg(long, value_name = "REGEX")]
    pub test: Option<String>,
}

/// Which subtests may be skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skips {
    /// None: all tests of the series can run in the guest.
    None,
    /// Any: other tests need features or modules that the guest's kernel lacks.
    Any,
}

/// Runs the task. It passes only if every test ran and passed, and no test of the series was skipped.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let filter = pipeline::filter(args.test.as_deref())?;
    let skips = match filter {
        Some(_) => Skips::Any,
        None => Skips::None,
    };
    let kernel = kernel::build(ctx)?;
    let bpftool = bpftool::build(ctx, &kernel)?;
    let folder = RunFolder::create(&ctx.build_dir().join("tree-tests"))?;
    let in_tree = in_tree::build(
        ctx,
        &kernel,
        &bpftool,
        filter.as_ref(),
        &folder.path().join("build"),
    )?;
    let spec = spec(ctx, &kernel.image, &in_tree, &folder)?;
    let stage = ctx.progress.stage("boot", "running the tree's selftests");
    let record = machine::run(ctx, &spec, &mut |_| {})?;
    stage.done(format!("guest under {}", record.accelerator));

    let expected = Expected {
        release: Some(&kernel.release),
        machine: ctx.arch.names().machine,
        filter: None,
        features: &[],
    };
    let verdict = pipeline::judge(std::slice::from_ref(&record), &expected);
    print!("{}", table(&verdict, skips));
    let wrong = wrong(&in_tree.tests, &verdict, skips);
    for wrong in &wrong {
        println!("\n{wrong}");
    }
    if !verdict.faults.is_empty() {
        println!("\nthe end of the console:");
        for line in console::tail(&record.console, LAST_LINES) {
            println!("  {line}");
        }
    }
    folder.publish()?;
    let tests = verdict.reports.len();
    if wrong.is_empty() {
        println!(
            "PASSED  {tests} of the tree's own selftests on {}",
            ctx.arch
        );
        return Ok(exit::verdict(true));
    }
    println!("FAILED  the tree's own selftests on {}", ctx.arch);
    Ok(exit::verdict(false))
}

fn spec(
    ctx: &Context,
    image: &std::path::Path,
    in_tree: &InTree,
    folder: &RunFolder,
) -> Result<RunSpec> {
    let scale = Matrix::of(&ctx.repo)?.timeout_scale(&ctx.config);
    let objects = folder.path().join("objects");
    fs::create_dir(&objects)?;
    Ok(RunSpec {
        image: image.to_owned(),
        arch: ctx.arch,
        machine: GuestMachine::of(ctx)?,
        objects,
        agent: agent::build(ctx)?,
        bpftool: None,
        test_progs: Some(in_tree.program.clone()),
        filter: None,
        run_dir: folder.path().to_owned(),
        cpus: machine::CPUS,
        icount: false,
        timeouts: Timeouts::of(scale, Duration::ZERO),
        timeout_scale: scale,
        stress: Duration::ZERO,
        reader: StreamReader::Agent,
        tools: Tools::find(ctx)?,
    })
}

/// One line per test.
fn table(verdict: &Verdict, skips: Skips) -> String {
    verdict
        .reports
        .iter()
        .map(|report| {
            let said = match passed(report, skips) {
                Ok(summary) => summary.to_string(),
                Err(output) => format!("FAILED: {}", failed_subtests(&output).join("; ")),
            };
            format!("{:30} {said}\n", report.test)
        })
        .collect()
}

/// The failures of the run.
fn wrong(tests: &[String], verdict: &Verdict, skips: Skips) -> Vec<String> {
    let mut wrong: Vec<String> = verdict.faults.iter().map(|f| format!("{f}")).collect();
    let mut announced = verdict.announced.clone();
    announced.sort();
    // a file of the base may hold several tests, each with a name of its own
    if skips == Skips::None && !announced.is_empty() && announced != tests {
        wrong.push(format!(
            "the series adds the tests {}, but test_progs has {}",
            tests.join(", "),
            announced.join(", ")
        ));
    }
    let failed = verdict
        .reports
        .iter()
        .filter_map(|report| passed(report, skips).err());
    wrong.extend(failed);
    wrong
}

/// The summary of a passed test; the output as an error where a subtest failed.
fn passed(report: &TestReport, skips: Skips) -> Result<Summary, String> {
    let stdout = String::from_utf8_lossy(&report.stdout.0);
    let failed = || {
        let ended = match &report.outcome {
            Outcome::Ran { retval: Some(code) } => format!("exit status {code}"),
            other => format!("{other:?}"),
        };
        let stderr = String::from_utf8_lossy(&report.stderr.0);
        format!("{}: {ended}\n{stdout}{stderr}", report.test)
    };
    if !matches!(report.outcome, Outcome::Ran { retval: Some(0) }) {
        return Err(failed());
    }
    match Summary::of(&stdout) {
        Some(summary) if skips == Skips::Any || summary.is_complete() => Ok(summary),
        _ => Err(failed()),
    }
}

/// What `Summary: 1/25 PASSED, 3 SKIPPED, 0 FAILED` says of a test.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    /// Whether the test itself passed; otherwise it was skipped.
    passed: bool,
    /// Number of passed subtests.
    subtests: u32,
    /// Number of skipped tests and subtests.
    skipped: u32,
}

impl Summary {
    /// The summary in the output of a test, if nothing failed and anything passed or was skipped.
    fn of(stdout: &str) -> Option<Summary> {
        let pattern =
            Regex::new(r"(?m)^Summary: ([01])/([0-9]+) PASSED, ([0-9]+) SKIPPED, 0 FAILED$")
                .ok()?;
        let found = pattern.captures(stdout)?;
        let summary = Summary {
            passed: &found[1] == "1",
            subtests: found[2].parse().ok()?,
            skipped: found[3].parse().ok()?,
        };
        (summary.passed || summary.skipped > 0).then_some(summary)
    }

    /// Whether subtests ran and none was skipped.
    fn is_complete(&self) -> bool {
        self.passed && self.subtests > 0 && self.skipped == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            passed,
            subtests,
            skipped,
        } = self;
        f.write_str(if *passed { "ok" } else { "skipped" })?;
        if *subtests > 0 {
            write!(f, ", {subtests} subtests")?;
        }
        if *passed && *skipped > 0 {
            write!(f, ", {skipped} skipped")?;
        }
        Ok(())
    }
}

/// The names of the subtests that failed, which stand in lines like `#15/3     verifier_and/a name:FAIL`.
/// `test_progs` prints the lines of a failed test twice.
fn failed_subtests(output: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for line in output.lines().filter(|line| line.starts_with('#')) {
        if let Some((_, name)) = line.split_once(char::is_whitespace)
            && let Some(name) = name.trim_start().strip_suffix(":FAIL")
            && name.contains('/')
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Bytes;

    const GOOD: &str = "#1 stream:OK\nSummary: 1/21 PASSED, 0 SKIPPED, 0 FAILED\n";

    fn verdict(retval: i64, stdout: &str) -> Verdict {
        Verdict {
            announced: vec!["stream".to_owned()],
            reports: vec![TestReport {
                test: "stream".to_owned(),
                outcome: Outcome::Ran {
                    retval: Some(retval),
                },
                stdout: Bytes(stdout.into()),
                stderr: Bytes(Vec::new()),
                not_in_mainline: None,
                notes: Vec::new(),
                micros: 1,
            }],
            ..Verdict::default()
        }
    }

    fn wrongs(tests: &[&str], verdict: &Verdict) -> Vec<String> {
        let tests: Vec<String> = tests.iter().map(|&test| test.to_owned()).collect();
        wrong(&tests, verdict, Skips::None)
    }

    #[test]
    fn a_test_passes_if_every_subtest_ran_and_passed() {
        assert!(wrongs(&["stream"], &verdict(0, GOOD)).is_empty());
        for (retval, stdout) in [
            (1, GOOD),
            (0, ""),
            (0, "Summary: 1/20 PASSED, 1 SKIPPED, 0 FAILED\n"),
            (0, "Summary: 0/20 PASSED, 0 SKIPPED, 1 FAILED\n"),
            (0, "Summary: 1/0 PASSED, 0 SKIPPED, 0 FAILED\n"),
        ] {
            let wrong = wrongs(&["stream"], &verdict(retval, stdout));
            assert_eq!(wrong.len(), 1, "{retval} {stdout}");
            assert!(wrong[0].starts_with("stream: exit status"), "{wrong:?}");
        }
    }

    #[test]
    fn tests_of_the_base_may_be_skipped_but_not_fail() {
        let said = |stdout: &str| table(&verdict(0, stdout), Skips::Any);
        for (summary, expected) in [
            ("1/0 PASSED, 0 SKIPPED", "ok"),
            ("1/20 PASSED, 3 SKIPPED", "ok, 20 subtests, 3 skipped"),
            ("0/0 PASSED, 1 SKIPPED", "skipped"),
        ] {
            let table = said(&format!("Summary: {summary}, 0 FAILED\n"));
            assert_eq!(table, format!("{:30} {expected}\n", "stream"));
        }
        let failed = "#1/1 stream/good:OK\n#1/2     stream/a bad one:FAIL\n#1       stream:FAIL\n";
        assert!(said(&failed.repeat(2)).ends_with(" FAILED: stream/a bad one\n"));
        assert!(said("Summary: 0/0 PASSED, 0 SKIPPED, 0 FAILED\n").contains("FAILED"));
    }

    #[test]
    fn a_test_that_test_progs_lacks_is_a_failure() {
        let wrong = wrongs(&["res_spin_lock", "stream"], &verdict(0, GOOD));
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].contains("res_spin_lock, stream"), "{wrong:?}");
    }
}
