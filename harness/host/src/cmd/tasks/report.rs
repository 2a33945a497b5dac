// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make report`: the report of all cells from their records, wherever they ran.

use std::process::ExitCode;

use anyhow::Result;

use crate::env::context::Context;
use crate::report::matrix::Matrix;
use crate::report::nightly::{Folder, Nightly};

/// Flags of `make report`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task. A cell of the matrix without a record has failed.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let folder = Folder::of(&ctx.repo)?;
    let nightly = Nightly::collect(&folder, &Matrix::of(&ctx.repo)?.cells)?;
    super::nightly::finish(ctx, &nightly, &folder, true)
}
