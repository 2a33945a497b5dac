// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make setup-test`: the set-up in new roots of Debian.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::cmd::exit;
use crate::cmd::setup_roots::{self, ROOTS, Root};
use crate::env::context::Context;
use crate::env::progress::seconds;
use crate::report::nightly::Folder;
use crate::report::setup_record::SetupRecord;

/// Flags of `make setup-test`.
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// Only the root of this name, for example debian-13
    #[arg(long, value_name = "NAME")]
    pub suite: Option<String>,
}

/// Runs the task. A root that fails does not stop the others.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let wanted = args.suite.as_deref();
    let chosen: Vec<&Root> = ROOTS
        .iter()
        .filter(|root| wanted.is_none_or(|name| name == root.name))
        .collect();
    let names: Vec<&str> = ROOTS.iter().map(|root| root.name).collect();
    ensure!(
        !chosen.is_empty(),
        "unknown root `{}` (SUITE=); the roots are {}",
        wanted.unwrap_or_default(),
        names.join(", ")
    );
    let report = Folder::of(&ctx.repo)?;
    let mut passed = true;
    for root in chosen {
        let record = record(ctx, root);
        for line in &record.output {
            println!("{line}");
        }
        passed &= record.passed;
        // `make report` on another machine may include the record
        report.keep_setup(&record)?;
    }
    Ok(exit::verdict(passed))
}

/// Runs the set-up in one root; an error is a failure of that root.
pub fn record(ctx: &Context, root: &Root) -> SetupRecord {
    let record = setup_roots::run(ctx, root, &ctx.repo.join("build/setup-test"));
    let verdict = if record.passed { "passed" } else { "FAILED" };
    let time = seconds(record.time());
    ctx.progress
        .note(format!("set-up in {}: {verdict} ({time})", record.name));
    record
}
