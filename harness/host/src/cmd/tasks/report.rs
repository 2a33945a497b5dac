// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make report`: the report of all cells from what they have left, wherever they ran.

use std::process::ExitCode;

use anyhow::Result;

use crate::env::context::Context;
use crate::report::matrix::Matrix;
use crate::report::nightly::{Folder, Nightly};

/// What `make report` takes.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task. A cell of the matrix that has left nothing has failed.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let folder = Folder::of(&ctx.repo)?;
    let nightly = Nightly::collect(&folder, &Matrix::of(&ctx.repo)?.cells)?;
    super::nightly::tell(&ctx.repo, &nightly, &folder)
}
