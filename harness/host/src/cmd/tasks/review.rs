// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make review`: reviews changed snapshots with cargo-insta.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::env::context::Context;

/// The version of cargo-insta; a test compares it with that of the crate insta in Cargo.lock.
const INSTA: &str = "1.49.0";

/// Flags of `make review`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Handle all pending texts at once, without asking for each
    #[arg(long, value_enum)]
    all: Option<All>,
}

/// What to do with every pending text.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum All {
    /// Accept every pending text
    Accept,
    /// Reject every pending text
    Reject,
    /// List the files
    List,
}

/// Runs the task.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let tool = cargo_insta(ctx)?;
    let command = match args.all {
        None => "review",
        Some(All::Accept) => "accept",
        Some(All::Reject) => "reject",
        Some(All::List) => "pending-snapshots",
    };
    let status = Command::new(&tool)
        .args([command, "--workspace-root"])
        .arg(ctx.repo.join("harness"))
        .status()
        .with_context(|| format!("cannot run {}", tool.display()))?;
    ensure!(
        status.success(),
        "`cargo insta {command}` failed ({status}); see its output above"
    );
    Ok(ExitCode::SUCCESS)
}

/// The path of cargo-insta; installs it into the cache if it is missing.
fn cargo_insta(ctx: &Context) -> Result<PathBuf> {
    let root = ctx.cache_dir(format!("cargo-insta-{INSTA}"))?;
    let tool = root.join("bin").join("cargo-insta");
    if tool.exists() {
        return Ok(tool);
    }
    let stage = ctx
        .progress
        .stage("tools", format!("installing cargo-insta {INSTA}"));
    let output = Command::new("cargo")
        .args([
            "install",
            "cargo-insta",
            "--locked",
            "--version",
            &format!("={INSTA}"),
            "--root",
        ])
        .arg(&root)
        // Not into the target folder of the clone.
        .env_remove("CARGO_TARGET_DIR")
        .stdin(Stdio::null())
        .output()
        .context("cannot run cargo; install Rust (https://rustup.rs)")?;
    ensure!(
        output.status.success(),
        "`cargo install cargo-insta` failed ({}); it needs network access, or a mirror in cargo's configuration:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    stage.done(format!("cargo-insta {INSTA}"));
    Ok(tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_has_the_version_of_the_crate() {
        let lock = include_str!("../../../../Cargo.lock");
        assert!(
            lock.contains(&format!("name = \"insta\"\nversion = \"{INSTA}\"\n")),
            "Cargo.lock has another insta than {INSTA}"
        );
    }
}
