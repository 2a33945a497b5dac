// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make doctor`: each tool, its version, whether it will do, and how to get it.

use std::process::ExitCode;

use anyhow::Result;

use crate::apt;
use crate::context::Context;
use crate::tools::{self, State, Tool};

/// What tasks need beyond a guest.
const OF_TASKS: [&[Tool]; 5] = [
    tools::FOR_SERIES,
    tools::FOR_DOCUMENTATION,
    tools::FOR_TREE_TESTS,
    tools::FOR_MAINLINE,
    tools::FOR_TESTS,
];

/// What `make doctor` takes.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task; it fails where a tool is missing or too old.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let mut tools = tools::needed(ctx.arch);
    tools.extend(OF_TASKS.into_iter().flatten());
    let mut wanting = Vec::new();
    for tool in tools {
        let state = tool.state();
        println!("{}", row(tool, &state));
        if !matches!(state, State::Good(_)) {
            wanting.push(tool.package);
        }
    }
    println!("\ncache      {}", ctx.cache.display());
    if wanting.is_empty() {
        println!("all there for guests of {}", ctx.arch);
        return Ok(ExitCode::SUCCESS);
    }
    wanting.sort_unstable();
    wanting.dedup();
    println!(
        "this line gets what is not good:\n  {}",
        apt::line(&wanting)
    );
    Ok(ExitCode::FAILURE)
}

fn row(tool: &Tool, state: &State) -> String {
    let (mark, found) = match state {
        State::Good(Some(version)) => ("good", version.to_string()),
        State::Good(None) => ("good", "any".to_owned()),
        State::TooOld(version) => ("too old", version.to_string()),
        State::Missing => ("missing", "-".to_owned()),
    };
    let needed = tool.minimum.map_or("any".to_owned(), |v| format!(">= {v}"));
    let name = tool.name();
    let package = tool.package;
    format!(
        "{mark:<8} {name:<24} {found:>6} {needed:>8}  {package:<22} {}",
        tool.why
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{Found, Version};

    #[test]
    fn a_row_says_what_there_is_and_what_is_needed() {
        let tool = Tool {
            found: Found::Program("pahole"),
            minimum: Some(Version(1, 22)),
            package: "dwarves",
            why: "BTF",
        };
        let row = row(&tool, &State::TooOld(Version(1, 20)));
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "too", "old", "pahole", "1.20", ">=", "1.22", "dwarves", "BTF"
            ]
        );
    }
}
