// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs cargo over the workspace.

use anyhow::Result;

use crate::env::command::{capture, command, last_lines, shell_in};
use crate::env::context::Context;

/// Runs the cargo that runs this program; returns what failed, or none where cargo succeeded.
pub fn run(ctx: &Context, args: &[&str]) -> Result<Option<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let sh = shell_in(ctx.repo.join("harness"))?;
    let cmd = command(&sh, &cargo).args(args);
    let line = cmd.to_string();
    let out = capture(cmd)?;
    if out.status.success() {
        return Ok(None);
    }
    // tests report on standard output, cargo itself on standard error
    let stdout = String::from_utf8_lossy(&out.stdout);
    Ok(Some(format!(
        "{stdout}`{line}` failed ({}){}",
        out.status,
        last_lines(&out)
    )))
}
