// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make shell`: a shell in the patched kernel.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::build::bpftool;
use crate::build::kernel;
use crate::env::context::Context;
use crate::vm::machine::{self, Tools};

/// Flags of `make shell`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task. The exit status of the shell is no verdict: the task succeeds if the guest ran.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let kernel = kernel::build(ctx)?;
    let bpftool = bpftool::build(ctx, &kernel)?;
    let tools = Tools::find(ctx)?;
    let bin = bpftool.path.parent().unwrap_or(Path::new("/"));
    ctx.progress.note(format!(
        "kernel {}; `exit` or Ctrl-D ends it",
        kernel.release
    ));
    machine::shell(ctx, &tools, &kernel.image, bin)?;
    Ok(ExitCode::SUCCESS)
}
