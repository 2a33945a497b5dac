// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make check-series`: checks that every patch applies, builds and can be sent.

use std::process::ExitCode;

use anyhow::Result;
use clap::builder::BoolishValueParser as Boolish;

use crate::cmd::check::{self, Depth, Findings};
use crate::cmd::exit;
use crate::env::context::Context;
use crate::queue::series::Series;

/// Flags of `make check-series`.
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// Only the checks of `make test`: builds the end of the series and changed patches
    #[arg(long, value_name = "0|1", default_value = "0", value_parser = Boolish::new(),
          num_args = 0..=1, default_missing_value = "1")]
    pub quick: bool,
    /// Also build and boot the kernel after every patch that changes it
    #[arg(long, value_name = "0|1", default_value = "0", value_parser = Boolish::new(),
          num_args = 0..=1, default_missing_value = "1")]
    pub boot: bool,
}

impl Args {
    /// The selected depth.
    pub fn depth(&self) -> Depth {
        match (self.boot, self.quick) {
            (true, _) => Depth::Boots,
            (false, true) => Depth::Quick,
            (false, false) => Depth::Full,
        }
    }
}

/// Runs the task.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let series = Series::load(&ctx.patches())?;
    let mut findings = Findings::default();
    let checked = check::series(ctx, &series, args.depth(), &mut findings);
    for wrong in &findings.wrong {
        println!("{wrong}");
    }
    checked?;
    for note in &findings.notes {
        println!("check-series: {note}");
    }
    if !findings.points.is_empty() {
        println!(
            "check-series: also applies to the point releases {}",
            findings.points.join(", ")
        );
    }
    if !findings.too_old.is_empty() {
        println!(
            "check-series: does not apply to {}, which the series does not support (applies_since in base.json)",
            findings.too_old.join(", ")
        );
    }
    println!(
        "check-series: {} patches, {} checks done, {} cached, {} faults",
        series.patches.len(),
        findings.done,
        findings.remembered,
        findings.wrong.len()
    );
    Ok(exit::verdict(findings.wrong.is_empty()))
}
