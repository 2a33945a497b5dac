// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make snapshots-changed`: the changed snapshots of a branch, for its review.

use std::process::ExitCode;

use anyhow::Result;

use crate::env::context::Context;
use crate::report::snapshot_diff;

/// Flags of `make snapshots-changed`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The branch or commit that this branch will be merged into
    #[arg(long, value_name = "COMMIT", default_value = "origin/main")]
    pub since: String,
}

/// Runs the task.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let changes = snapshot_diff::since(&ctx.repo, &args.since)?;
    print!("{}", snapshot_diff::render(&changes)?);
    Ok(ExitCode::SUCCESS)
}
