// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Parses the command line and runs the task.

use std::process::ExitCode;

use bpf_streams::cmd::{cli, dispatch, exit};

fn main() -> ExitCode {
    let cli = cli::parse();
    let context = cli.common.into_context();
    match context.and_then(|ctx| dispatch::run(&ctx, &cli.task)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            exit::no_verdict()
        }
    }
}
