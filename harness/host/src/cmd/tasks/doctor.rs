// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make doctor`: shows each tool, whether it works, and what set-up would do; changes nothing.

use std::process::ExitCode;

use anyhow::Result;

use crate::cmd::exit;
use crate::env::apt;
use crate::env::context::{Arch, Context};
use crate::env::setup;
use crate::env::tools::{self, Purpose, Tool, ToolState};
use crate::env::unpacked;
use crate::vm::machine;

/// Tools of tasks, in addition to those of a guest.
const OF_TASKS: [Purpose; 5] = [
    Purpose::Series,
    Purpose::Documentation,
    Purpose::TreeTests,
    Purpose::Mainline,
    Purpose::Tests,
];

/// Flags of `make doctor`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task; the exit status is 2 where a tool does not work.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let guests = Arch::buildable_here().into_iter().flat_map(tools::needed);
    let tools = tools::distinct(guests.chain(tools::of(&OF_TASKS)));
    let mut wanting = Vec::new();
    for tool in tools {
        let state = tool.check().state;
        println!("{}", row(tool, &state));
        if !state.is_good() {
            wanting.push((tool, state));
        }
    }
    println!("\ncache  {}", ctx.cache.display());
    println!("KVM    {}", machine::kvm_device());
    let unpacked = unpacked::listing(&ctx.cache);
    if !unpacked.is_empty() {
        println!("unpacked into the cache: {}", unpacked.join(", "));
    }
    if wanting.is_empty() {
        println!("\nevery tool is installed and works");
        return Ok(ExitCode::SUCCESS);
    }
    let wrong: Vec<(&Tool, ToolState)> = wanting
        .iter()
        .filter(|(_, state)| *state != ToolState::Missing)
        .cloned()
        .collect();
    if !wrong.is_empty() {
        println!("\ninstalled, but unusable:{}", setup::describe(&wrong));
    }
    advise(&wanting)?;
    Ok(exit::no_verdict())
}

/// Prints how to install the tools that do not work.
fn advise(wanting: &[(&Tool, ToolState)]) -> Result<()> {
    let packages = setup::packages(wanting);
    if !apt::is_installed() {
        println!(
            "\nthis machine has no apt-get; install the tools with your distribution's package manager. \
             Debian's packages are:\n  {}",
            packages.join(" ")
        );
    } else if !apt::unknown(&packages)?.is_empty() {
        println!(
            "\napt does not know all packages; set-up would first run `apt-get update`, or:\n  {}",
            apt::line(&packages)
        );
    } else {
        println!("\n`make setup` would do this (any other target would, for its own tools):");
        for line in setup::propose(wanting).lines() {
            println!("  {line}");
        }
    }
    Ok(())
}

fn row(tool: &Tool, state: &ToolState) -> String {
    let (mark, found) = match state {
        ToolState::Good(Some(version)) => ("good", version.to_string()),
        ToolState::Good(None) => ("good", "any".to_owned()),
        ToolState::TooOld(_, version) => ("too old", version.to_string()),
        ToolState::Missing => ("missing", "-".to_owned()),
        ToolState::Broken(_) => ("broken", "-".to_owned()),
    };
    let needed = tool.minimum.map_or("any".to_owned(), |v| format!(">= {v}"));
    format!(
        "{mark:<8} {:<24} {found:>6} {needed:>8}  {:<26} {}",
        setup::display_name(tool),
        tool.package,
        tool.why
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::tools::Version;

    #[test]
    fn a_row_has_the_found_and_the_required_version() {
        let all = tools::every();
        let pahole = all.iter().find(|tool| tool.name == "pahole").unwrap();
        let row = row(
            pahole,
            &ToolState::TooOld("/opt/pahole".into(), Version(1, 20)),
        );
        let words: Vec<&str> = row.split_whitespace().take(8).collect();
        assert_eq!(
            words,
            [
                "too", "old", "pahole", "1.20", ">=", "1.22", "dwarves", "writes"
            ]
        );
    }
}
