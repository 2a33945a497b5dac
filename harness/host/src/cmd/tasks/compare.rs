// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make compare`: ours beside mainline, selftest by selftest.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::boot_test;
use crate::cmd::exit;
use crate::env::context::Context;
use crate::queue::base::REFERENCE;
use crate::report::mainline_diff;
use crate::report::run_report::RunResult;

/// What `make compare` takes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Compare only the tests whose name matches this regular expression, and show what differs
    #[arg(long, value_name = "REGEX")]
    test: Option<String>,
}

/// Runs the task: the selftests in both kernels. It succeeds if both runs did and every difference has
/// its reason.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    ensure!(
        ctx.base != REFERENCE,
        "BASE={REFERENCE} is what the others are compared with; name one of them"
    );
    let mainline = Context {
        base: REFERENCE.to_owned(),
        kernel: None,
        ..ctx.clone()
    };
    let (ours, theirs) = (result(ctx, args)?, result(&mainline, args)?);
    let rows = mainline_diff::rows(&ours, &theirs);
    print!("{}", mainline_diff::table(&rows));
    if args.test.is_some() {
        print!("{}", mainline_diff::differences(&rows));
    }
    println!("\n{}\n{}", line(&ours), line(&theirs));
    println!("compare: {}", mainline_diff::counts(&rows));
    let explained = !rows.iter().any(|row| row.relation.is_unexplained());
    Ok(exit::verdict(explained && ours.passed && theirs.passed))
}

/// What the selftests come to in the kernel of `ctx`; what failed is told.
fn result(ctx: &Context, args: &Args) -> Result<RunResult> {
    let judged = boot_test::carry_out(
        ctx,
        &boot_test::Args {
            test: args.test.clone(),
            ..boot_test::Args::default()
        },
    )?;
    if !judged.report.passed() {
        println!("{}:{}", ctx.base, judged.failures(ctx));
    }
    Ok(judged.report.result(&judged.console))
}

/// What a run was, and how to have it anew.
fn line(run: &RunResult) -> String {
    let on = &run.environment;
    format!(
        "{}: {} selftests {} on {}, {}{}; again: {}",
        on.base,
        run.counts(),
        if run.passed {
            "passed"
        } else {
            "passed, the run FAILED"
        },
        on.kernel,
        on.date,
        on.package
            .as_ref()
            .map_or_else(String::new, |package| format!(", {package}")),
        on.repeat
    )
}
