// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make setup-test`: the set-up in new roots of Debian.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::cmd::setup_test::{self, SetupRecord, TESTS, Test};
use crate::env::context::Context;
use crate::env::progress::seconds;
use crate::report::nightly::Folder;

/// What `make setup-test` takes.
#[derive(clap::Args, Debug, Default)]
pub struct Args {
    /// Only the root of this name, for example debian-13
    #[arg(long, env = "SUITE", value_name = "NAME")]
    pub suite: Option<String>,
}

/// Runs the task. A root that fails does not keep the others from being tried.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let wanted = args.suite.as_deref().filter(|name| !name.is_empty());
    let chosen: Vec<&Test> = TESTS
        .iter()
        .filter(|test| wanted.is_none_or(|name| name == test.name))
        .collect();
    ensure!(
        !chosen.is_empty(),
        "there is no root `{}` (SUITE); there are {}",
        wanted.unwrap_or_default(),
        TESTS
            .iter()
            .map(|test| test.name)
            .collect::<Vec<_>>()
            .join(", ")
    );
    let report = Folder::of(&ctx.repo)?;
    let mut passed = true;
    for test in chosen {
        let record = carry_out(ctx, test);
        for line in &record.output {
            println!("{line}");
        }
        passed &= record.passed;
        // a report of cells from several machines has what this one came to
        report.keep_setup(&record)?;
    }
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Carries a test out, and says what came of it; an error is a failure.
pub fn carry_out(ctx: &Context, test: &Test) -> SetupRecord {
    let record = setup_test::run(ctx, test, &ctx.repo.join("build/setup-test"));
    let verdict = if record.passed { "passed" } else { "FAILED" };
    let time = seconds(record.time());
    ctx.progress
        .note(format!("set-up in {}: {verdict} ({time})", record.name));
    record
}
