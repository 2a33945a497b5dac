// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make apply`: the series onto a kernel tree.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::context::Context;

/// What `make apply` takes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The kernel tree: a git tree gets commits, another one changed files
    #[arg(long, env = "TREE", value_name = "DIR")]
    pub tree: std::path::PathBuf,
}

/// Runs the task.
pub fn run(_ctx: &Context, _args: &Args) -> Result<ExitCode> {
    bail!("not written yet")
}
