// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Parses the command line and runs the task.

use std::process::ExitCode;

use bpf_streams::cmd::cli::Cli;
use bpf_streams::cmd::tasks;
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli
        .common
        .into_context()
        .and_then(|ctx| tasks::run(&ctx, &cli.task))
    {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
