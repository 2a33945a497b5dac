// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make page-test`: the page of the nightly report in Chromium.

use std::process::ExitCode;

use anyhow::Result;

use crate::cmd::{cargo, exit};
use crate::env::context::Context;

/// Flags of `make page-test`.
#[derive(clap::Args, Debug, Default)]
pub struct Args {}

/// The tests are ignored by a plain `cargo test`, since they need Chromium.
const CARGO: &[&str] = &[
    "test",
    "--locked",
    "--release",
    "--quiet",
    "--package=bpf-streams-host",
    "--test=page",
    "--",
    "--ignored",
];

/// Runs the task.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let failed = cargo::run(ctx, CARGO)?;
    match &failed {
        None => println!("page-test: passed"),
        Some(why) => println!("page-test: FAILED\n{why}"),
    }
    Ok(exit::verdict(failed.is_none()))
}
