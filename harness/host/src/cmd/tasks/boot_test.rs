// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make boot-test`: builds, boots, runs the tests and compares their output with snapshots.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::cmd::exit;
use crate::cmd::pipeline::{self, Jobs, RunPlan};
use crate::env::context::{Arch, Context, PLAIN};
use crate::judge::per_test;
use crate::judge::snapshot::{Snapshots, Unreferenced};
use crate::judge::verdict::Verdict;
use crate::report::run_report::{self, Report, RunResult};
use crate::report::{annotations, junit, ktap, stages};
use crate::vm::machine;

/// Lines of the console that are printed for a failed run.
const LAST_LINES: usize = 30;

/// Most guests of a run.
const MAX_JOBS: u32 = 16;

/// Flags of `make boot-test`.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Args {
    /// Run only the tests whose name matches this regular expression
    #[arg(long, value_name = "REGEX")]
    pub test: Option<String>,
    /// How many seconds each stress test runs [default: 0.25 on a plain kernel, 1 on others]
    #[arg(long, value_name = "SECONDS")]
    pub stress: Option<u64>,
    /// Number of CPUs of the guest, at most 8 [default: 2]
    #[arg(long, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(machine::MAX_CPUS)))]
    pub cpus: Option<u32>,
    /// Number of guests that share the tests [default: by cores, memory and the time of the tests]
    #[arg(long, value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_JOBS)))]
    pub jobs: Option<u32>,
    /// Write the result as JSON to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the result as JUnit XML to this file
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the result as KTAP to this file
    #[arg(long, value_name = "FILE")]
    pub ktap: Option<PathBuf>,
}

/// A judged run, published as `last`.
#[derive(Debug)]
pub struct Judged {
    /// The report.
    pub report: Report,
    /// The last lines of the console.
    pub console: Vec<String>,
    /// Fewer of them, to print.
    shown_console: Vec<String>,
    /// The folder of the run.
    last: PathBuf,
}

impl Judged {
    /// The failures, with the end of the console.
    pub fn failures(&self, ctx: &Context) -> String {
        self.report.failures(&self.shown_console, self.shown(ctx))
    }

    /// The folder, relative to the clone.
    fn shown<'a>(&'a self, ctx: &Context) -> &'a Path {
        self.last.strip_prefix(&ctx.repo).unwrap_or(&self.last)
    }
}

/// Runs the task. It passes if the run has no fault and every test passed or was skipped.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let judged = run_and_judge(ctx, args)?;
    let report = &judged.report;
    let result = report.result(&judged.console);
    write_results(args, &result)?;
    print!("{}{}", report.table(), judged.failures(ctx));
    if is_github(std::env::var_os("GITHUB_ACTIONS").as_deref()) {
        print!("{}", annotations::render(&result, &ctx.repo));
    }
    println!("\n{}{}", report.slowest(), stages::line(&report.stages));
    println!("{}", report.verdict_line(judged.shown(ctx)));
    Ok(exit::verdict(report.passed()))
}

/// Runs the selected tests and judges the run.
pub fn run_and_judge(ctx: &Context, args: &Args) -> Result<Judged> {
    let begun = Instant::now();
    let filter = args.test.as_deref();
    let plan = RunPlan {
        stress: args
            .stress
            .map_or_else(|| machine::default_stress(&ctx.config), Duration::from_secs),
        cpus: args.cpus.unwrap_or(machine::CPUS),
        jobs: args
            .jobs
            .map_or(Jobs::Auto, |jobs| Jobs::Fixed(jobs as usize)),
        ..RunPlan::selftests(ctx, filter)
    };
    let earlier_times = run_report::last_times(&plan.keep);
    let mut run = pipeline::run(ctx, &plan)?;
    let store = store(ctx)?;
    let tests = per_test::all(&run.verdict, &store);
    let unreferenced = unreferenced(&store, &run.verdict, filter)?;
    run.stages.end("judge");
    let report = Report {
        tests,
        unreferenced,
        guest: run.time(),
        total: begun.elapsed(),
        verdict: run.verdict.clone(),
        environment: run.environment.clone(),
        stages: run.stages.times().to_vec(),
        earlier_times,
    };
    let console = run.console(run_report::CONSOLE_LINES);
    let shown_console = run.console(LAST_LINES);
    run_report::write_files(run.folder.path(), &run.files(), &console, &report)?;
    Ok(Judged {
        report,
        console,
        shown_console,
        last: run.folder.publish()?,
    })
}

/// The snapshots that no test uses. They are unknown in a run of a selection, or one that announced no
/// test.
fn unreferenced(
    store: &Snapshots,
    verdict: &Verdict,
    filter: Option<&str>,
) -> Result<Vec<Unreferenced>> {
    if filter.is_some() || verdict.announced.is_empty() {
        return Ok(Vec::new());
    }
    store
        .unreferenced(&verdict.announced)
        .with_context(|| format!("cannot read the snapshots in {}", store.dir.display()))
}

/// Writes the result in the requested formats.
fn write_results(args: &Args, result: &RunResult) -> Result<()> {
    type Render = fn(&RunResult) -> Result<String>;
    let formats: [(&Option<PathBuf>, &str, Render); 3] = [
        (&args.json, "JSON", |result| {
            Ok(serde_json::to_string_pretty(result)?)
        }),
        (&args.junit, "JUNIT", junit::render),
        (&args.ktap, "KTAP", |result| Ok(ktap::render(result))),
    ];
    for (path, variable, render) in formats {
        if let Some(path) = path {
            fs::write(path, render(result)?).with_context(|| {
                format!(
                    "cannot write the result to {} ({variable}=)",
                    path.display()
                )
            })?;
        }
    }
    Ok(())
}

/// Whether the output is the log of a workflow of GitHub, which shows annotations.
fn is_github(variable: Option<&OsStr>) -> bool {
    variable.is_some_and(|value| value == "true")
}

/// The snapshots of the clone for a run of this architecture, configuration and base.
fn store(ctx: &Context) -> Result<Snapshots> {
    let arches = Arch::ALL.iter().map(ToString::to_string);
    let configs = names(&ctx.repo.join("kernel-config"), ".config")?;
    let bases = names(&ctx.repo.join("patches"), "")?;
    let of_run = [ctx.arch.to_string(), ctx.config.clone(), ctx.base.clone()];
    Ok(Snapshots {
        dir: ctx.repo.join("harness/host/tests/snapshots"),
        known: arches.chain(configs).chain(bases).collect(),
        of_run: of_run.into_iter().filter(|name| name != PLAIN).collect(),
        write_pending: !ctx.ci,
    })
}

/// The entries of `dir` that end in `end`, without `end`.
fn names(dir: &Path, end: &str) -> Result<Vec<String>> {
    let entries = fs::read_dir(dir)?;
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names
        .filter_map(|name| name.strip_suffix(end).map(str::to_owned))
        .collect())
}
