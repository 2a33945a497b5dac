// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make snapshots-changed`: what a reviewer of a branch reads first.

use std::process::ExitCode;

use anyhow::Result;

use crate::env::context::Context;
use crate::report::snapshot_diff;

/// What `make snapshots-changed` takes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The branch or commit that this one is to go into
    #[arg(long, value_name = "COMMIT", default_value = "origin/main")]
    pub since: String,
}

/// Runs the task.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let changes = snapshot_diff::since(&ctx.repo, &args.since)?;
    print!("{}", snapshot_diff::render(&changes)?);
    Ok(ExitCode::SUCCESS)
}
