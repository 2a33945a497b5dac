// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make export`: the series as mails, as an mbox, as a quilt series.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::env::context::Context;
use crate::queue::export;
use crate::queue::series::Series;

/// Flags of `make export`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The output folder [default: build/export]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Runs the task.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let series = Series::load(&ctx.patches())?;
    let out = match &args.out {
        Some(path) => path.clone(),
        None => ctx.repo.join("build/export"),
    };
    let exported = export::write(&series, &ctx.base, &out)?;
    let shown = |path: &PathBuf| {
        let path = path.strip_prefix(&ctx.repo).unwrap_or(path);
        path.display().to_string()
    };
    let (mails, mbox, quilt) = (
        shown(&exported.mails),
        shown(&exported.mbox),
        shown(&exported.quilt),
    );
    println!("{} patches for {}:", series.patches.len(), ctx.base);
    println!("  {mails}/  cover letter and patches as replies: git send-email {mails}/*.patch");
    println!("  {mbox}  without the cover letter: git am {mbox}");
    println!("  {quilt}/  patches and series: QUILT_PATCHES={quilt} quilt push -a");
    Ok(ExitCode::SUCCESS)
}
