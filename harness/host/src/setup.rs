// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Sees to it that the tools are there: installs what is missing, or says how.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result, bail};

use crate::apt;
use crate::context::Context;
use crate::digest::Digest;
use crate::tools::{State, Tool};

/// Makes sure that `tools` are there and will do.
///
/// Asking twenty programs for their version takes half a second. So the answer is remembered for as
/// long as all of them are the same files with the same times.
pub fn ensure(ctx: &Context, tools: &[&Tool]) -> Result<()> {
    let memory = ctx.cache_dir("tools")?;
    if is_remembered(&memory, tools) {
        return Ok(());
    }
    let wanting = wanting(tools);
    if !wanting.is_empty() {
        install(ctx, &wanting)?;
        let still = self::wanting(tools);
        if !still.is_empty() {
            bail!(
                "still not there after the installation:{}",
                described(&still)
            );
        }
    }
    remember(&memory, tools)
}

fn wanting<'a>(tools: &[&'a Tool]) -> Vec<(&'a Tool, State)> {
    tools
        .iter()
        .map(|tool| (*tool, tool.state()))
        .filter(|(_, state)| !matches!(state, State::Good(_)))
        .collect()
}

fn install(ctx: &Context, wanting: &[(&Tool, State)]) -> Result<()> {
    let mut packages: Vec<&str> = wanting.iter().map(|(tool, _)| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    if !apt::can_install() {
        bail!(
            "tools are missing, and installing them takes root:{}\n  this line does it (other \
             distributions call the packages otherwise):\n  {}",
            described(wanting),
            apt::line(&packages)
        );
    }
    let list = packages.join(" ");
    let stage = ctx.progress.stage("setup", format!("installing {list}"));
    apt::install(&packages)
        .with_context(|| format!("cannot install what is missing: {}", described(wanting)))?;
    stage.done(format!("installed {list}"));
    Ok(())
}

fn described(wanting: &[(&Tool, State)]) -> String {
    wanting
        .iter()
        .map(|(tool, state)| {
            let wrong = match (state, tool.minimum) {
                (State::TooOld(version), Some(minimum)) => {
                    format!("is {version}, expected {minimum} or newer")
                }
                _ => "is missing".to_owned(),
            };
            format!("\n  {} {wrong} ({})", tool.name(), tool.why)
        })
        .collect()
}

/// Remembered by the set of tools as it is found now: any other path, time or minimum is another.
fn stamp(tools: &[&Tool]) -> Option<String> {
    let mut digest = Digest::default();
    for tool in tools {
        let path = fs::canonicalize(tool.path()?).ok()?;
        let modified = fs::metadata(&path).ok()?.modified().ok()?;
        let since = modified.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        digest.add(tool.name(), format!("{path:?} {since} {:?}", tool.minimum));
    }
    Some(digest.key())
}

fn is_remembered(memory: &Path, tools: &[&Tool]) -> bool {
    stamp(tools).is_some_and(|key| memory.join(key).exists())
}

fn remember(memory: &Path, tools: &[&Tool]) -> Result<()> {
    if let Some(key) = stamp(tools) {
        let path = memory.join(key);
        fs::write(&path, "").with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{Found, Version};

    fn tool(name: &'static str, minimum: Option<Version>) -> Tool {
        Tool {
            found: Found::Program(name),
            minimum,
            package: "p",
            why: "for a test",
        }
    }

    #[test]
    fn the_answer_is_remembered_for_these_tools_at_these_versions() {
        let memory = tempfile::tempdir().unwrap();
        let good = tool("sh", None);
        assert!(!is_remembered(memory.path(), &[&good]));
        remember(memory.path(), &[&good]).unwrap();
        assert!(is_remembered(memory.path(), &[&good]));
        assert!(!is_remembered(memory.path(), &[&good, &tool("git", None)]));
        assert!(!is_remembered(
            memory.path(),
            &[&tool("sh", Some(Version(1, 0)))]
        ));
        let missing = tool("no-such-program", None);
        remember(memory.path(), &[&missing]).unwrap();
        assert!(!is_remembered(memory.path(), &[&missing]));
    }

    #[test]
    fn what_is_wanting_is_told_with_its_reason() {
        let tools = [
            tool("no-such-program", None),
            tool("git", Some(Version(999, 0))),
            tool("sh", None),
        ];
        let tools: Vec<&Tool> = tools.iter().collect();
        let text = described(&wanting(&tools));
        assert!(
            text.contains("no-such-program is missing (for a test)"),
            "{text}"
        );
        assert!(text.contains("expected 999.0 or newer"), "{text}");
        assert!(!text.contains("sh is"), "{text}");
    }
}
