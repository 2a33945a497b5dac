// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make boot-test`: build, boot, run, compare.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::context::Context;

/// What `make boot-test` takes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Run only the cases whose name matches this regular expression
    #[arg(long, env = "TEST", value_name = "REGEX")]
    pub test: Option<String>,
    /// Write the result as JSON to this file
    #[arg(long, env = "JSON", value_name = "FILE")]
    pub json: Option<std::path::PathBuf>,
}

/// Runs the task.
pub fn run(_ctx: &Context, _args: &Args) -> Result<ExitCode> {
    bail!("not written yet")
}
