// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make setup`: installs everything that `make test` needs.

use std::process::ExitCode;

use anyhow::Result;

use crate::build::agent;
use crate::env::context::{Arch, Context};
use crate::vm::machine;

/// Flags of `make setup`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task. The dispatcher has already installed the packages.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    for arch in Arch::buildable_here() {
        let guest = Context {
            arch,
            ..ctx.clone()
        };
        // virtme-ng; for a foreign architecture also its libraries and programs
        machine::Tools::find(&guest)?;
        agent::ensure_standard_library(&guest)?;
    }
    println!("setup: everything that `make test` needs is installed");
    Ok(ExitCode::SUCCESS)
}
