// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make apply TREE=dir`: applies the series to a kernel tree.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::env::context::Context;
use crate::queue::apply::{self, Applied};
use crate::queue::series::Series;

/// Flags of `make apply`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The kernel tree; a git tree gets commits, another tree changed files
    #[arg(long, value_name = "DIR")]
    pub tree: PathBuf,
}

/// Runs the task.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let series = Series::load(&ctx.patches())?;
    let tree = std::fs::canonicalize(&args.tree)
        .with_context(|| format!("TREE={}: no such folder", args.tree.display()))?;
    let (count, shown) = (series.patches.len(), tree.display());
    match apply::onto(&tree, &series, ctx.progress)? {
        Applied::Commits(commits) => {
            println!("applied {count} patches to {shown}: {commits} commits");
        }
        Applied::Files(files) => {
            println!("applied {count} patches to {shown}: {files} files changed");
        }
        Applied::Already => {
            println!("{shown} already contains the {count} patches; nothing was changed");
        }
    }
    Ok(ExitCode::SUCCESS)
}
