// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make demo`: runs programs that go wrong and shows the kernel's reports, as printed by `bpftool prog
//! tracelog` in the guest.

use std::process::ExitCode;

use anyhow::Result;

use crate::cmd::exit;
use crate::cmd::pipeline::{self, PipelineRun, RunPlan};
use crate::env::context::Context;
use crate::judge::snapshot;
use crate::vm::machine::StreamReader;

/// The default tests: an arena fault, an arena fault in a timer callback, and an endless loop.
const TEST: &str = "^(arena_frames__subprogram|arena_async__timer_callback|may_goto__subprogram)$";

/// Flags of `make demo`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Show the tests whose name matches this regular expression
    #[arg(long, value_name = "REGEX")]
    test: Option<String>,
}

/// Runs the task.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let filter = args.test.as_deref();
    let plan = RunPlan {
        reader: StreamReader::Bpftool,
        ..RunPlan::selftests(ctx, Some(filter.unwrap_or(TEST)))
    };
    let run = pipeline::run(ctx, &plan)?;
    print!("{}", text(&run));
    Ok(exit::verdict(run.verdict.faults.is_empty()))
}

/// The raw output of the programs, and the faults of the run.
fn text(run: &PipelineRun) -> String {
    let mut out = String::new();
    let kernel = run.verdict.kernel.as_deref().unwrap_or("an unknown kernel");
    for report in &run.verdict.reports {
        let (file, _) = snapshot::split(&report.test);
        out.push_str(&format!(
            "{} (selftests/{file}.bpf.c) on {kernel}\n\n{}\n",
            report.test,
            snapshot::render_raw(report)
        ));
    }
    for fault in &run.verdict.faults {
        out.push_str(&format!("the run failed: {fault}\n"));
    }
    if !run.verdict.faults.is_empty() {
        run.console(30)
            .iter()
            .for_each(|line| out.push_str(&format!("    {line}\n")));
    }
    out
}
