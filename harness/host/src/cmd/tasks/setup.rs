// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make setup`: everything that `make test` needs, and nothing is built.

use std::process::ExitCode;

use anyhow::Result;

use crate::build::agent;
use crate::env::context::{Arch, Context};
use crate::vm::machine;

/// What `make setup` takes.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task. The packages are there already: every task begins with them.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    for arch in Arch::buildable_here() {
        let guest = Context {
            arch,
            ..ctx.clone()
        };
        // virtme-ng, and for a foreign architecture its libraries and programs
        machine::Tools::find(&guest)?;
        agent::ensure_standard_library(&guest)?;
    }
    println!("setup: everything that `make test` needs is there");
    Ok(ExitCode::SUCCESS)
}
