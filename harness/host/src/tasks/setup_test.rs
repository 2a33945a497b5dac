// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make setup-test`: the set-up in new roots of Debian.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::context::Context;
use crate::progress::seconds;
use crate::setup_test::{self, CASES, Case, SetupRecord};

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
    let chosen: Vec<&Case> = CASES
        .iter()
        .filter(|case| wanted.is_none_or(|name| name == case.name))
        .collect();
    ensure!(
        !chosen.is_empty(),
        "there is no root `{}` (SUITE); there are {}",
        wanted.unwrap_or_default(),
        CASES
            .iter()
            .map(|case| case.name)
            .collect::<Vec<_>>()
            .join(", ")
    );
    let records = carry_out(ctx, &chosen)?;
    Ok(if records.iter().all(|record| record.passed) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Carries cases out, and prints a line for each.
pub fn carry_out(ctx: &Context, cases: &[&Case]) -> Result<Vec<SetupRecord>> {
    let folder = ctx.repo.join("build/setup-test");
    let mut records = Vec::new();
    for case in cases {
        let record = setup_test::run(ctx, case, &folder)?;
        let verdict = if record.passed { "passed" } else { "FAILED" };
        println!(
            "setup-test: {}: {verdict} ({})",
            record.name,
            seconds(record.time())
        );
        for line in &record.output {
            println!("{line}");
        }
        records.push(record);
    }
    Ok(records)
}
