// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! One run, from the sources to what is known of it: the stages in their order.

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

/// What is known of a run when its guest is gone.
#[derive(Debug)]
pub struct Trial {
    /// Where the run has written, and its report will.
    pub folder: RunFolder,
    /// What was recorded of it.
    pub record: RunRecord,
    /// What it amounts to.
    pub verdict: Verdict,
    /// What it was made with.
    pub environment: Environment,
}

impl Trial {
    /// The lines of the guest as they came.
    #[must_use]
    pub fn lines(&self) -> Vec<&[u8]> {
        lines(&self.record)
    }
}

/// How many times longer everything may take where the clock counts instructions: QEMU then emulates
/// with one thread, and looks at the count after every few instructions.
const COUNTING: u32 = 4;

/// What a run is to be.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// The folder of the programs.
    pub programs: PathBuf,
    /// The folder that keeps what the run leaves.
    pub keep: PathBuf,
    /// Only the tests whose name matches this regular expression.
    pub filter: Option<&'a str>,
    /// How long a stress test goes on.
    pub stress: Duration,
    /// CPUs of the guest.
    pub cpus: u32,
    /// Whether the guest's clock is to count instructions.
    pub icount: bool,
    /// Who reads the streams of a test that is only run and read.
    pub reader: StreamReader,
}

impl<'a> Plan<'a> {
    /// The selftests.
    #[must_use]
    pub fn selftests(ctx: &Context, filter: Option<&'a str>) -> Plan<'a> {
        Plan {
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
    pub fn bench(ctx: &Context, filter: Option<&'a str>) -> Plan<'a> {
        Plan {
            cpus: 1,
            icount: true,
            ..Plan::of_folder(ctx, "bench", filter)
        }
    }

    /// What several CPUs come to, in real time.
    #[must_use]
    pub fn scale(ctx: &Context, filter: Option<&'a str>) -> Plan<'a> {
        Plan {
            cpus: machine::MAX_CPUS,
            ..Plan::of_folder(ctx, "scale", filter)
        }
    }

    /// The programs of a folder beside the selftests.
    fn of_folder(ctx: &Context, name: &str, filter: Option<&'a str>) -> Plan<'a> {
        Plan {
            programs: ctx.selftests().join(name),
            keep: ctx.build_dir().join(name),
            ..Plan::selftests(ctx, filter)
        }
    }
}

/// Builds what has changed, boots it, and has the guest run what `plan` says.
///
/// # Errors
///
/// Where a stage fails before there is anything to judge.
pub fn run(ctx: &Context, plan: &Plan<'_>) -> Result<Trial> {
    check_filter(plan.filter)?;
    let patience = patience(ctx, plan)?;
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
        timeouts: Timeouts::of(patience, plan.stress),
        timeout_scale: patience,
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
    Ok(Trial {
        verdict: judge(&record, &expected),
        folder,
        record,
        environment,
    })
}

/// How many times longer everything may take.
fn patience(ctx: &Context, plan: &Plan<'_>) -> Result<u32> {
    let slowness = if plan.icount { COUNTING } else { 1 };
    Ok(Matrix::of(&ctx.repo)?.patience(&ctx.config) * slowness)
}

/// The features that a guest of so many CPUs must have with this kernel.
fn must_have(ctx: &Context, kernel: &Kernel, cpus: u32) -> Result<Vec<&'static str>> {
    let config = fs::read_to_string(&kernel.config).with_context(|| {
        format!(
            "cannot read the kernel's configuration {}",
            kernel.config.display()
        )
    })?;
    Ok(feature::required(&ctx.base, ctx.arch, &config, cpus))
}

/// Boots the guest and tells how far it is.
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
    let first_word = match record.boot {
        Some(time) => format!("first word after {}", seconds(time)),
        None => "not a word".to_owned(),
    };
    stage.done(format!("guest under {}, {first_word}", record.accelerator));
    Ok(record)
}

/// What a recorded run amounts to.
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

/// A selection that cannot be read is better said before a kernel is built.
fn check_filter(filter: Option<&str>) -> Result<()> {
    let Some(filter) = filter else { return Ok(()) };
    Regex::new(filter)
        .map(drop)
        .with_context(|| format!("TEST={filter} is no regular expression"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_that_is_no_regular_expression_is_refused() {
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
