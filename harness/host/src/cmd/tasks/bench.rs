// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make bench`: measures operations in guest instructions, and the throughput of several CPUs, for the
//! series and mainline.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::builder::BoolishValueParser as Boolish;
use fs_err as fs;

use crate::cmd::exit;
use crate::cmd::pipeline::{self, RunPlan};
use crate::env::context::{Context, PLAIN};
use crate::queue::base::REFERENCE;
use crate::report::bench::aims::Aims;
use crate::report::bench::{self, Bench, Figures};
use crate::report::generated;
use crate::report::run_report::Environment;

/// Lines of the console that are printed for a failed run.
const LAST_LINES: usize = 30;

/// Flags of `make bench`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Measure only the tests whose name matches this regular expression
    #[arg(long, value_name = "REGEX")]
    pub test: Option<String>,
    /// Measure this many times, each time in a new guest, and show the spread
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=9))]
    pub runs: u32,
    /// Measure the series only, without mainline
    #[arg(long, value_name = "0|1", default_value = "0", value_parser = Boolish::new(),
          num_args = 0..=1, default_missing_value = "1")]
    pub alone: bool,
    /// Write the figures as JSON to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Runs the task. It passes if there is every figure and each satisfies `ci/bench.toml`.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let aims = Aims::of_repo(&ctx.repo)?;
    let bench = take(ctx, args)?;
    if let Some(path) = &args.json {
        let text = serde_json::to_vec_pretty(&bench)?;
        fs::write(path, text)
            .with_context(|| format!("cannot write the figures to {} (JSON=)", path.display()))?;
    }
    let judgement = aims.judge(&bench);
    let troubles = bench.troubles();
    print!("{}", bench::table(&bench, &aims));
    let wrong: Vec<&String> = troubles.iter().chain(&judgement.wrong).collect();
    for (lines, what) in [
        (&judgement.explained.iter().collect(), "known"),
        (&wrong, "WRONG"),
    ] {
        lines.iter().for_each(|line| println!("{what}: {line}"));
    }
    println!("bench: {}", judgement.line());
    if troubles.is_empty() && is_documented(ctx, args) {
        let path = generated::write_bench(&ctx.repo, &bench, &aims)?;
        let shown = path.strip_prefix(&ctx.repo).unwrap_or(&path);
        println!("bench: wrote {}", shown.display());
    }
    Ok(exit::verdict(wrong.is_empty()))
}

/// Whether the documentation shows the figures of this run: a complete one of the plain kernel.
fn is_documented(ctx: &Context, args: &Args) -> bool {
    let complete = args.test.is_none() && !args.alone && ctx.base != REFERENCE;
    complete && ctx.kernel.is_none() && ctx.config == PLAIN && !ctx.ci
}

/// Measures the series and mainline alternately, so that the load of the machine affects both.
fn take(ctx: &Context, args: &Args) -> Result<Bench> {
    let filter = args.test.as_deref();
    let mainline = (!args.alone && ctx.base != REFERENCE).then(|| Context {
        base: REFERENCE.to_owned(),
        kernel: None,
        ..ctx.clone()
    });
    let mut bench = Bench {
        mainline: mainline.as_ref().map(|_| Figures::default()),
        ..Bench::default()
    };
    for _ in 0..args.runs {
        for plan in [RunPlan::bench, RunPlan::scale] {
            add(ctx, &plan(ctx, filter), &mut bench.ours)?;
            if let (Some(ctx), Some(figures)) = (&mainline, &mut bench.mainline) {
                add(ctx, &plan(ctx, filter), figures)?;
            }
        }
    }
    Ok(bench)
}

/// Adds the figures of one run.
fn add(ctx: &Context, plan: &RunPlan<'_>, figures: &mut Figures) -> Result<()> {
    let run = pipeline::run(ctx, plan)?;
    if !run.verdict.faults.is_empty() {
        run.console(LAST_LINES)
            .iter()
            .for_each(|line| println!("    {line}"));
    }
    let environment = Environment {
        repeat: format!("make bench BASE={} ARCH={}", ctx.base, ctx.arch),
        ..run.environment
    };
    figures.add(&run.verdict, &environment);
    Ok(())
}
