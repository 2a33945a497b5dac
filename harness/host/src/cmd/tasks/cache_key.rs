// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make cache-key`: the key under which a workflow keeps the cache of a cell.

use std::process::ExitCode;

use anyhow::Result;

use crate::build::kernel;
use crate::env::context::Context;

/// What `make cache-key` takes.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task. The key is that of the kernel, the only thing in the cache that takes minutes.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    println!("{}", kernel::key(ctx)?);
    Ok(ExitCode::SUCCESS)
}
