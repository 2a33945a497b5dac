// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make compare`: compares the series with mainline, test by test.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::boot_test;
use crate::cmd::exit;
use crate::env::context::Context;
use crate::queue::base::REFERENCE;
use crate::report::mainline_diff;
use crate::report::run_report::RunResult;

/// Flags of `make compare`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Compare only the tests whose name matches this regular expression, and show the differences
    #[arg(long, value_name = "REGEX")]
    test: Option<String>,
}

/// Runs the tests in both kernels. The task passes if both runs passed and every difference has a
/// reason.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    ensure!(
        ctx.base != REFERENCE,
        "BASE={REFERENCE} cannot be compared with itself; set BASE to another base"
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

/// Runs the tests in the kernel of `ctx` and prints failures.
fn result(ctx: &Context, args: &Args) -> Result<RunResult> {
    let judged = boot_test::run_and_judge(
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

/// A summary of a run, with the command that repeats it.
fn line(run: &RunResult) -> String {
    let on = &run.environment;
    format!(
        "{}: {} tests {} on {}, {}{}; repeat: {}",
        on.base,
        run.counts(),
        if run.passed {
            "passed"
        } else {
            "passed, but the run FAILED"
        },
        on.kernel,
        on.date,
        on.package
            .as_ref()
            .map_or_else(String::new, |package| format!(", {package}")),
        on.repeat
    )
}
