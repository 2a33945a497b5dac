// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make check-series`: every patch applies, builds alone, is checkpatch-clean.

use std::process::ExitCode;

use anyhow::Result;

use crate::check;
use crate::context::Context;
use crate::series::Series;

/// What `make check-series` takes.
#[derive(clap::Args, Debug, Default)]
pub struct Args {}

/// Runs the task.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let series = Series::load(&ctx.patches())?;
    let findings = check::series(ctx, &series)?;
    for wrong in &findings.wrong {
        println!("{wrong}");
    }
    println!(
        "check-series: {} patches, {} checks done, {} remembered, {} faults",
        series.patches.len(),
        findings.done,
        findings.remembered,
        findings.wrong.len()
    );
    Ok(if findings.wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
