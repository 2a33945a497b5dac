// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make check-series`: every patch applies, builds alone, is checkpatch-clean.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::context::Context;

/// What `make check-series` takes.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task.
pub fn run(_ctx: &Context, _args: &Args) -> Result<ExitCode> {
    bail!("not written yet")
}
