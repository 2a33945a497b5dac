// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make demo`: programs go wrong, and what the kernel says of that on their stderr is shown, as
//! `bpftool prog tracelog` shows it in the guest.

use std::process::ExitCode;

use anyhow::Result;

use crate::cmd::pipeline::{self, Plan, Trial};
use crate::env::context::Context;
use crate::judge::console;
use crate::judge::snapshot;
use crate::vm::machine::StreamReader;

/// What is run unless another test is named: a fault on an arena, the same in the callback of a timer,
/// and a loop that does not end.
const TEST: &str = "^(arena_frames__subprogram|arena_async__timer_callback|may_goto__subprogram)$";

/// What `make demo` takes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Show the tests whose name matches this regular expression
    #[arg(long, env = "TEST", value_name = "REGEX")]
    test: Option<String>,
}

/// Runs the task.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let filter = args.test.as_deref().filter(|filter| !filter.is_empty());
    let plan = Plan {
        reader: StreamReader::Bpftool,
        ..Plan::selftests(ctx, Some(filter.unwrap_or(TEST)))
    };
    let trial = pipeline::run(ctx, &plan)?;
    print!("{}", text(&trial));
    Ok(if trial.verdict.faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What the programs printed, as it came; and what went wrong, if something did.
fn text(trial: &Trial) -> String {
    let mut out = String::new();
    let kernel = trial
        .verdict
        .kernel
        .as_deref()
        .unwrap_or("a kernel that did not speak");
    for report in &trial.verdict.reports {
        let file = report
            .test
            .split_once("__")
            .map_or(report.test.as_str(), |(file, _)| file);
        out.push_str(&format!(
            "{} (selftests/{file}.bpf.c) on {kernel}\n\n{}\n",
            report.test,
            snapshot::render_raw(report)
        ));
    }
    for fault in &trial.verdict.faults {
        out.push_str(&format!("the run failed: {fault}\n"));
    }
    if !trial.verdict.faults.is_empty() {
        console::tail(&trial.record.console, 30)
            .iter()
            .for_each(|line| out.push_str(&format!("    {line}\n")));
    }
    out
}
