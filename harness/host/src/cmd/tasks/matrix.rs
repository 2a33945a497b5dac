// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make matrix`: the cells, in the form of a workflow's strategy.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::env::context::Context;
use crate::report::matrix::Matrix;

/// Flags of `make matrix`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task. It prints one line, because outputs of a workflow have the form `name=line`.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let matrix = Matrix::of(&ctx.repo)?;
    let line = serde_json::to_string(&matrix.strategy()).context("cannot write the matrix")?;
    println!("{line}");
    Ok(ExitCode::SUCCESS)
}
