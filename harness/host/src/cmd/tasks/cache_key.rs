// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make cache-key`: the cache key of the kernel, for workflows.

use std::process::ExitCode;

use anyhow::Result;

use crate::build::kernel;
use crate::env::context::Context;

/// Flags of `make cache-key`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task. The kernel is the only entry of the cache that takes minutes to build.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    println!("{}", kernel::key(ctx)?);
    Ok(ExitCode::SUCCESS)
}
