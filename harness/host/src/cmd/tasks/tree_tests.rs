// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make tree-tests`: runs the selftests that the series adds to the kernel's tree in a guest, with the
//! tree's own `test_progs`.
//!
//! These tests check themselves; there are no snapshots.

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
pub struct Args {}

/// Runs the task. It passes only if every test of the series ran and none was skipped.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let kernel = kernel::build(ctx)?;
    let bpftool = bpftool::build(ctx, &kernel)?;
    let folder = RunFolder::create(&ctx.build_dir().join("tree-tests"))?;
    let in_tree = in_tree::build(ctx, &kernel, &bpftool, &folder.path().join("build"))?;
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
    print!("{}", table(&verdict));
    let wrong = wrong(&in_tree.tests, &verdict);
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
    let tests = in_tree.tests.len();
    if wrong.is_empty() {
        println!(
            "PASSED  {tests} tests of the series in the tree on {}",
            ctx.arch
        );
        return Ok(exit::verdict(true));
    }
    println!(
        "FAILED  the tree's own selftests of the series on {}",
        ctx.arch
    );
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
fn table(verdict: &Verdict) -> String {
    verdict
        .reports
        .iter()
        .map(|report| {
            let said = match passed(report) {
                Ok(subtests) => format!("ok, {subtests} subtests"),
                Err(_) => "FAILED".to_owned(),
            };
            format!("{:30} {said}\n", report.test)
        })
        .collect()
}

/// The failures of the run.
fn wrong(tests: &[String], verdict: &Verdict) -> Vec<String> {
    let mut wrong: Vec<String> = verdict.faults.iter().map(|f| format!("{f}")).collect();
    let mut announced = verdict.announced.clone();
    announced.sort();
    if !announced.is_empty() && announced != tests {
        wrong.push(format!(
            "the series adds the tests {}, but test_progs has {}",
            tests.join(", "),
            announced.join(", ")
        ));
    }
    let failed = verdict.reports.iter().filter_map(|r| passed(r).err());
    wrong.extend(failed);
    wrong
}

/// The number of passed subtests; the output as an error where not all passed.
fn passed(report: &TestReport) -> Result<u32, String> {
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
    subtests(&stdout).ok_or_else(failed)
}

/// The number in `Summary: 1/25 PASSED, 0 SKIPPED, 0 FAILED`; none where a subtest did not run.
fn subtests(stdout: &str) -> Option<u32> {
    let summary = Regex::new(r"(?m)^Summary: 1/([1-9][0-9]*) PASSED, 0 SKIPPED, 0 FAILED$").ok()?;
    summary.captures(stdout)?[1].parse().ok()
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
        wrong(&tests, verdict)
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
    fn a_test_that_test_progs_lacks_is_a_failure() {
        let wrong = wrongs(&["res_spin_lock", "stream"], &verdict(0, GOOD));
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].contains("res_spin_lock, stream"), "{wrong:?}");
    }
}
