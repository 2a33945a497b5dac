// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make boot-test`: build, boot, run, compare.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::cmd::pipeline::{self, Plan, Trial};
use crate::env::context::{Arch, Context, PLAIN};
use crate::judge::console;
use crate::judge::per_test;
use crate::judge::snapshot::{Store, Unreferenced};
use crate::judge::verdict::Verdict;
use crate::report::run_report::{self, Report};
use crate::vm::machine;

/// Lines of the console that are shown when a run has failed.
const LAST_LINES: usize = 30;

/// What `make boot-test` takes.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Args {
    /// Run only the tests whose name matches this regular expression
    #[arg(long, env = "TEST", value_name = "REGEX")]
    pub test: Option<String>,
    /// How many seconds a stress test goes on [default: 1]
    #[arg(long, env = "STRESS", value_name = "SECONDS")]
    pub stress: Option<u64>,
    /// How many CPUs the guest has, at most 8 [default: 2]
    #[arg(long, env = "CPUS", value_name = "NUMBER",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(machine::MAX_CPUS)))]
    pub cpus: Option<u32>,
    /// Write the result as JSON to this file
    #[arg(long, env = "JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// A run that has been judged, and has become the last one.
#[derive(Debug)]
pub struct Judged {
    /// What it amounts to.
    pub report: Report,
    /// The end of what the console showed.
    pub console: Vec<String>,
    /// The folder of what it left.
    last: PathBuf,
}

impl Judged {
    /// What failed, and what was shown last where something did.
    pub fn failures(&self, ctx: &Context) -> String {
        let end = &self.console[self.console.len().saturating_sub(LAST_LINES)..];
        self.report.failures(end, self.shown(ctx))
    }

    /// The folder as it is named in what is printed.
    fn shown<'a>(&'a self, ctx: &Context) -> &'a Path {
        self.last.strip_prefix(&ctx.repo).unwrap_or(&self.last)
    }
}

/// Runs the task. It succeeds only if everything that was to be shown was shown.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let judged = carry_out(ctx, args)?;
    let report = &judged.report;
    if let Some(json) = args
        .json
        .as_deref()
        .filter(|path| !path.as_os_str().is_empty())
    {
        write_json(json, report, &judged.console)?;
    }
    print!("{}{}", report.table(), judged.failures(ctx));
    println!("\n{}", report.verdict_line(judged.shown(ctx)));
    Ok(if report.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs what was chosen and judges it.
pub fn carry_out(ctx: &Context, args: &Args) -> Result<Judged> {
    let begun = Instant::now();
    let filter = args.test.as_deref().filter(|filter| !filter.is_empty());
    let plan = Plan {
        stress: args.stress.map_or(machine::STRESS, Duration::from_secs),
        cpus: args.cpus.unwrap_or(machine::CPUS),
        ..Plan::selftests(ctx, filter)
    };
    let trial = pipeline::run(ctx, &plan)?;
    let store = store(ctx)?;
    let report = Report {
        tests: per_test::all(&trial.verdict, &store),
        unreferenced: unreferenced(&store, &trial.verdict, filter)?,
        guest: trial.record.time,
        total: begun.elapsed(),
        verdict: trial.verdict.clone(),
        environment: trial.environment.clone(),
    };
    let console = console::tail(&trial.record.console, run_report::CONSOLE_LINES);
    let last = leave(trial, &report)?;
    Ok(Judged {
        report,
        console,
        last,
    })
}

/// The snapshots that no test is held against. A run of a selection, or one that never told its
/// tests, cannot know them.
fn unreferenced(
    store: &Store,
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

/// Writes what the run leaves and makes it the last one.
fn leave(trial: Trial, report: &Report) -> Result<PathBuf> {
    run_report::write_files(
        trial.folder.path(),
        &trial.lines(),
        &trial.record.console,
        report,
    )?;
    trial.folder.publish()
}

fn write_json(path: &Path, report: &Report, console: &[String]) -> Result<()> {
    let text = serde_json::to_vec_pretty(&report.result(console))?;
    fs::write(path, text)
        .with_context(|| format!("cannot write the result to {} (JSON=)", path.display()))
}

/// The clone's snapshots, as a run of this architecture, configuration and base sees them.
fn store(ctx: &Context) -> Result<Store> {
    let arches = Arch::ALL.iter().map(ToString::to_string);
    let configs = names(&ctx.repo.join("kernel-config"), ".config")?;
    let bases = names(&ctx.repo.join("patches"), "")?;
    let of_run = [ctx.arch.to_string(), ctx.config.clone(), ctx.base.clone()];
    Ok(Store {
        dir: ctx.repo.join("harness/host/tests/snapshots"),
        known: arches.chain(configs).chain(bases).collect(),
        of_run: of_run.into_iter().filter(|name| name != PLAIN).collect(),
    })
}

/// The entries of `dir` that end in `end`, without it.
fn names(dir: &Path, end: &str) -> Result<Vec<String>> {
    let entries = dir
        .read_dir()
        .with_context(|| format!("cannot read {}", dir.display()))?;
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names
        .filter_map(|name| name.strip_suffix(end).map(str::to_owned))
        .collect())
}
