// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The pipeline of a run: build, boot, judge.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fs_err as fs;
use regex::Regex;

use crate::build::agent;
use crate::build::bpftool;
use crate::build::kernel::{self, Kernel};
use crate::build::selftests;
use crate::env::context::Context;
use crate::env::guest_machine::GuestMachine;
use crate::judge::console;
use crate::judge::feature;
use crate::judge::verdict::{self, Evidence, Expected, Verdict};
use crate::report::matrix::Matrix;
use crate::report::run_report::{Environment, GuestFiles, RunFolder, last_times};
use crate::report::stages::Stages;
use crate::vm::machine::{self, RunRecord, RunSpec, StreamReader, Timeouts, Times, Tools};

mod guests;
mod jobs;

/// A run after its end.
#[derive(Debug)]
pub struct PipelineRun {
    /// The folder of the run.
    pub folder: RunFolder,
    /// The records of the guests.
    pub records: Vec<RunRecord>,
    /// The report.
    pub verdict: Verdict,
    /// Kernel, tools and machine of the run.
    pub environment: Environment,
    /// The time of each stage.
    pub stages: Stages,
}

impl PipelineRun {
    /// Time from the start of the guests to the end of the last one.
    #[must_use]
    pub fn time(&self) -> Duration {
        let times = self.records.iter().map(|record| record.time);
        times.max().unwrap_or_default()
    }

    /// The last `count` lines of the console; of several guests, those of each guest with a fault.
    #[must_use]
    pub fn console(&self, count: usize) -> Vec<String> {
        if let [record] = &self.records[..] {
            return console::tail(&record.console, count);
        }
        let faulty = |guest| {
            self.verdict
                .faults
                .iter()
                .any(|fault| fault.guest() == Some(guest))
        };
        (1..)
            .zip(&self.records)
            .filter(|(guest, _)| faulty(*guest))
            .flat_map(|(guest, record)| {
                let mut lines = vec![format!("guest {guest}:")];
                lines.extend(console::tail(&record.console, count));
                lines
            })
            .collect()
    }

    /// The received bytes of each guest.
    #[must_use]
    pub fn files(&self) -> Vec<GuestFiles<'_>> {
        let folder = |guest| match self.records.len() {
            1 => self.folder.path().to_owned(),
            _ => guests::folder(self.folder.path(), guest),
        };
        (1..)
            .zip(&self.records)
            .map(|(guest, record)| GuestFiles {
                folder: folder(guest),
                lines: lines(record),
                console: &record.console,
            })
            .collect()
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
    /// Number of guests that share the tests.
    pub jobs: Jobs,
}

/// The number of guests that share the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// What cores, memory and the times of the last run suggest.
    Auto,
    /// This number.
    Fixed(usize),
}

impl<'a> RunPlan<'a> {
    /// The selftests.
    #[must_use]
    pub fn selftests(ctx: &Context, filter: Option<&'a str>) -> RunPlan<'a> {
        RunPlan {
            programs: ctx.selftests(),
            keep: ctx.build_dir(),
            filter,
            stress: machine::default_stress(&ctx.config),
            cpus: machine::CPUS,
            icount: false,
            reader: StreamReader::Agent,
            jobs: Jobs::Fixed(1),
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
    let filter = filter(plan.filter)?;
    let mut stages = Stages::after_setup(ctx.setup);
    let scale = timeout_scale(ctx, plan)?;
    let kernel = kernel::build(ctx)?;
    stages.end("kernel");
    let bpftool = bpftool::build(ctx, &kernel)?;
    let folder = RunFolder::create(&plan.keep)?;
    let bpftool_for_guest = bpftool::build_for_guest(ctx, &kernel)?;
    stages.end("bpftool");
    let objects = selftests::compile(
        ctx,
        &plan.programs,
        &kernel.vmlinux,
        &bpftool,
        &folder.path().join("objects"),
    )?;
    stages.end("selftests");
    let agent = agent::build(ctx)?;
    stages.end("agent");
    let spec = RunSpec {
        image: kernel.image.clone(),
        arch: ctx.arch,
        machine: GuestMachine::of(ctx)?,
        objects: objects.dir,
        agent,
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
    let times = last_times(&plan.keep);
    let jobs = match plan.jobs {
        Jobs::Fixed(jobs) => jobs,
        Jobs::Auto => jobs::default(&ctx.config, &times, filter.as_ref()),
    };
    // one guest runs the tests as announced
    let times = if jobs == 1 { Times::new() } else { times };
    let records = guests::boot(ctx, &spec, jobs, times)?;
    let booted = records.iter().filter_map(|record| record.boot).max();
    stages.end_two("boot", booted.unwrap_or_default(), "tests");
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
        jobs,
        ..with_machine(Environment::of(ctx, plan.filter, plan.cpus), &records)
    };
    Ok(PipelineRun {
        verdict: judge(&records, &expected),
        folder,
        records,
        environment,
        stages,
    })
}

/// Adds what the guests ran on, which is the same for all.
fn with_machine(environment: Environment, records: &[RunRecord]) -> Environment {
    match records.first() {
        None => environment,
        Some(record) => Environment {
            qemu: record.qemu_version.clone(),
            virtme_ng: record.virtme_version.clone(),
            accelerator: record.accelerator.to_string(),
            ..environment
        },
    }
}

/// The factor of all time-outs.
fn timeout_scale(ctx: &Context, plan: &RunPlan<'_>) -> Result<u32> {
    let slowness = if plan.icount { COUNTING } else { 1 };
    Ok(Matrix::of(&ctx.repo)?.timeout_scale(&ctx.config) * slowness)
}

/// The features that a guest with this kernel and number of CPUs must have.
fn must_have(ctx: &Context, kernel: &Kernel, cpus: u32) -> Result<Vec<&'static str>> {
    let config = fs::read_to_string(&kernel.config)?;
    Ok(feature::required(&ctx.base, ctx.arch, &config, cpus))
}

/// The verdict on a run, by the records of its guests.
#[must_use]
pub fn judge(records: &[RunRecord], expected: &Expected) -> Verdict {
    let lines: Vec<Vec<&[u8]>> = records.iter().map(lines).collect();
    let stopped: Vec<Option<String>> = records.iter().map(|record| record.end.stopped()).collect();
    let evidence: Vec<Evidence<'_>> = records
        .iter()
        .zip(&lines)
        .zip(&stopped)
        .map(|((record, lines), stopped)| Evidence {
            lines,
            handed: &record.handed,
            console: &record.console,
            stopped: stopped.as_deref(),
        })
        .collect();
    verdict::judge(&evidence, expected)
}

fn lines(record: &RunRecord) -> Vec<&[u8]> {
    record.lines.iter().map(|line| line.0.as_slice()).collect()
}

/// Compiles the selection of tests before anything is built.
///
/// # Errors
///
/// If it is not a regular expression.
pub fn filter(filter: Option<&str>) -> Result<Option<Regex>> {
    filter.map(Regex::new).transpose().with_context(|| {
        let filter = filter.unwrap_or_default();
        format!("TEST={filter} is not a regular expression")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_selection_is_an_error() {
        assert!(filter(None).unwrap().is_none());
        assert!(filter(Some("^test_run__")).is_ok());
        assert!(
            filter(Some("("))
                .unwrap_err()
                .to_string()
                .contains("TEST=(")
        );
    }
}
