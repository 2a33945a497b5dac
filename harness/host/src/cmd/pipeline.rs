// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The pipeline of a run: build, boot, judge.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use regex::Regex;
use wire::FromGuest;

use crate::build::agent;
use crate::build::bpftool;
use crate::build::kernel::{self, Kernel};
use crate::build::selftests;
use crate::env::context::Context;
use crate::env::progress::seconds;
use crate::judge::feature;
use crate::judge::verdict::{self, Evidence, Expected, Verdict};
use crate::report::matrix::Matrix;
use crate::report::run_report::{Environment, RunFolder};
use crate::vm::machine::{self, RunRecord, RunSpec, StreamReader, Timeouts, Tools};

/// A run after its end.
#[derive(Debug)]
pub struct PipelineRun {
    /// The folder of the run.
    pub folder: RunFolder,
    /// The record of the guest.
    pub record: RunRecord,
    /// The report.
    pub verdict: Verdict,
    /// Kernel, tools and machine of the run.
    pub environment: Environment,
}

impl PipelineRun {
    /// The guest's lines as received.
    #[must_use]
    pub fn lines(&self) -> Vec<&[u8]> {
        lines(&self.record)
    }
}

/// The factor of all time-outs with `-icount`: QEMU then emulates with one thread and checks the count
/// after every few instructions.
const COUNTING: u32 = 4;

/// The parameters of a run.
#[derive(Clone, Debug)]
pub struct RunPlan<'a> {
    /// The folder of the programs.
    pub programs: PathBuf,
    /// The folder for the files of the run.
    pub keep: PathBuf,
    /// Only the tests whose name matches this regular expression.
    pub filter: Option<&'a str>,
    /// How long each stress test runs.
    pub stress: Duration,
    /// Number of CPUs of the guest.
    pub cpus: u32,
    /// Whether the guest's clock counts instructions (`-icount`).
    pub icount: bool,
    /// The program that reads the streams of simple tests.
    pub reader: StreamReader,
}

impl<'a> RunPlan<'a> {
    /// The selftests.
    #[must_use]
    pub fn selftests(ctx: &Context, filter: Option<&'a str>) -> RunPlan<'a> {
        RunPlan {
            programs: ctx.selftests(),
            keep: ctx.build_dir(),
            filter,
            stress: machine::STRESS,
            cpus: machine::CPUS,
            icount: false,
            reader: StreamReader::Agent,
        }
    }

    /// The costs of single operations, in instructions.
    #[must_use]
    pub fn bench(ctx: &Context, filter: Option<&'a str>) -> RunPlan<'a> {
        RunPlan {
            cpus: 1,
            icount: true,
            ..RunPlan::of_folder(ctx, "bench", filter)
        }
    }

    /// The throughput of several CPUs, in real time.
    #[must_use]
    pub fn scale(ctx: &Context, filter: Option<&'a str>) -> RunPlan<'a> {
        RunPlan {
            cpus: machine::MAX_CPUS,
            ..RunPlan::of_folder(ctx, "scale", filter)
        }
    }

    /// The programs of a folder in `selftests/`.
    fn of_folder(ctx: &Context, name: &str, filter: Option<&'a str>) -> RunPlan<'a> {
        RunPlan {
            programs: ctx.selftests().join(name),
            keep: ctx.build_dir().join(name),
            ..RunPlan::selftests(ctx, filter)
        }
    }
}

/// Builds what changed, boots the kernel and runs the tests of `plan`.
///
/// # Errors
///
/// Where a stage before the verdict fails.
pub fn run(ctx: &Context, plan: &RunPlan<'_>) -> Result<PipelineRun> {
    check_filter(plan.filter)?;
    let scale = timeout_scale(ctx, plan)?;
    let kernel = kernel::build(ctx)?;
    let bpftool = bpftool::build(ctx, &kernel)?;
    let folder = RunFolder::create(&plan.keep)?;
    let bpftool_for_guest = bpftool::build_for_guest(ctx, &kernel)?;
    let objects = selftests::compile(
        ctx,
        &plan.programs,
        &kernel.vmlinux,
        &bpftool,
        &folder.path().join("objects"),
    )?;
    let spec = RunSpec {
        image: kernel.image.clone(),
        arch: ctx.arch,
        objects: objects.dir,
        agent: agent::build(ctx)?,
        bpftool: Some(bpftool_for_guest.path),
        test_progs: None,
        filter: plan.filter.map(str::to_owned),
        run_dir: folder.path().to_owned(),
        cpus: plan.cpus,
        icount: plan.icount,
        timeouts: Timeouts::of(scale, plan.stress),
        timeout_scale: scale,
        stress: plan.stress,
        reader: plan.reader,
        tools: Tools::find(ctx)?,
    };
    let features = must_have(ctx, &kernel, plan.cpus)?;
    let record = boot(ctx, &spec)?;
    let expected = Expected {
        release: Some(&kernel.release),
        machine: ctx.arch.names().machine,
        filter: plan.filter,
        features: &features,
    };
    let environment = Environment {
        kernel: kernel.release.clone(),
        package: kernel.package,
        compiler: kernel.compiler,
        clang: objects.compiler,
        qemu: record.qemu_version.clone(),
        virtme_ng: record.virtme_version.clone(),
        accelerator: record.accelerator.to_string(),
        ..Environment::of(ctx, plan.filter, plan.cpus)
    };
    Ok(PipelineRun {
        verdict: judge(&record, &expected),
        folder,
        record,
        environment,
    })
}

/// The factor of all time-outs.
fn timeout_scale(ctx: &Context, plan: &RunPlan<'_>) -> Result<u32> {
    let slowness = if plan.icount { COUNTING } else { 1 };
    Ok(Matrix::of(&ctx.repo)?.timeout_scale(&ctx.config) * slowness)
}

/// The features that a guest with this kernel and number of CPUs must have.
fn must_have(ctx: &Context, kernel: &Kernel, cpus: u32) -> Result<Vec<&'static str>> {
    let config = fs::read_to_string(&kernel.config).with_context(|| {
        format!(
            "cannot read the kernel's configuration {}",
            kernel.config.display()
        )
    })?;
    Ok(feature::required(&ctx.base, ctx.arch, &config, cpus))
}

/// Boots the guest and shows the progress.
fn boot(ctx: &Context, spec: &RunSpec) -> Result<RunRecord> {
    let stage = ctx.progress.stage("boot", "waiting for the guest");
    let (mut all, mut begun) = (0, 0);
    let mut listener = |line: &FromGuest| match line {
        FromGuest::Start { tests, .. } => all = tests.len(),
        FromGuest::TestStart { test } => {
            begun += 1;
            stage.update(format!("{begun} of {all}: {test}"));
        }
        _ => {}
    };
    let record = machine::run(ctx, spec, &mut listener)?;
    let started = match record.boot {
        Some(time) => format!("start line after {}", seconds(time)),
        None => "no start line".to_owned(),
    };
    stage.done(format!("guest under {}, {started}", record.accelerator));
    Ok(record)
}

/// The verdict on a recorded run.
#[must_use]
pub fn judge(record: &RunRecord, expected: &Expected) -> Verdict {
    let stopped = record.end.stopped();
    let evidence = Evidence {
        lines: &lines(record),
        console: &record.console,
        stopped: stopped.as_deref(),
    };
    verdict::judge(&evidence, expected)
}

fn lines(record: &RunRecord) -> Vec<&[u8]> {
    record.lines.iter().map(|line| line.0.as_slice()).collect()
}

/// Checks the selection before anything is built.
fn check_filter(filter: Option<&str>) -> Result<()> {
    let Some(filter) = filter else { return Ok(()) };
    Regex::new(filter)
        .map(drop)
        .with_context(|| format!("TEST={filter} is not a regular expression"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_selection_is_an_error() {
        assert!(check_filter(None).is_ok());
        assert!(check_filter(Some("^test_run__")).is_ok());
        assert!(
            check_filter(Some("("))
                .unwrap_err()
                .to_string()
                .contains("TEST=(")
        );
    }
}
