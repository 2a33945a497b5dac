// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Debian's package of the source: which version apt knows, and how to get it.
//!
//! Mirrors, proxies and keys are the machine's own: whatever its apt is set to.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::apt;
use crate::command::{self, command, shell_in};
use crate::context::Context;

/// Where apt keeps what it knows of its mirrors; it changes with `apt-get update` and only then.
const APT_LISTS: &str = "/var/lib/apt/lists";

/// The version that was found last, and what apt's lists looked like then. While they look the
/// same, apt need not be asked: that takes most of a second.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    version: String,
    lists: u128,
}

/// The version of `package` that apt would install; where apt has forgotten it, the one that is in
/// the cache.
pub fn version(ctx: &Context, package: &str) -> Result<String> {
    let memory = ctx.cache_dir("sources")?.join(format!("{package}.json"));
    let lists = lists_stamp();
    let remembered: Option<Remembered> = fs::read(&memory)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    if let Some(known) = &remembered
        && known.lists == lists
    {
        return Ok(known.version.clone());
    }
    let version = match (candidate_now(package)?, remembered) {
        (Some(version), _) => version,
        (None, Some(known)) => return Ok(known.version),
        (None, None) => bail!(
            "apt knows no package {package}; run `apt-get update`, and see that its sources hold \
             a Debian suite that has it (12 and its updates do)"
        ),
    };
    let remembered = Remembered {
        version: version.clone(),
        lists: lists_stamp(),
    };
    let text = serde_json::to_string(&remembered)?;
    fs::write(&memory, text).with_context(|| format!("cannot write {}", memory.display()))?;
    Ok(version)
}

/// Downloads the package into `dir`.
pub fn download(dir: &Path, package: &str, version: &str) -> Result<PathBuf> {
    let sh = shell_in(dir)?;
    let get = || {
        let cmd = command(&sh, "apt-get").args(["--quiet", "download"]);
        command::output(cmd.arg(format!("{package}={version}")))
    };
    // mirrors drop old versions, and then lists of yesterday name files that are gone
    let mut got = get();
    if got.is_err() && apt::can_install() {
        apt::update()?;
        got = get();
    }
    got.with_context(|| {
        format!("cannot download {package} {version}; if apt's lists are old, `apt-get update`")
    })?;
    only_deb(dir)
}

/// The package that was downloaded into `dir`.
pub fn only_deb(dir: &Path) -> Result<PathBuf> {
    let entries = dir
        .read_dir()
        .with_context(|| format!("cannot read {}", dir.display()))?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "deb"))
        .with_context(|| format!("apt-get download left no package in {}", dir.display()))
}

/// The candidate; where apt knows none, its lists may be missing, as on a new machine.
fn candidate_now(package: &str) -> Result<Option<String>> {
    let known = candidate(package)?;
    if known.is_some() || !apt::can_install() {
        return Ok(known);
    }
    apt::update()?;
    candidate(package)
}

fn candidate(package: &str) -> Result<Option<String>> {
    let sh = shell_in("/")?;
    let text = command::output(command(&sh, "apt-cache").args(["policy", package]))?;
    Ok(parse_candidate(&text))
}

fn parse_candidate(policy: &str) -> Option<String> {
    policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|version| *version != "(none)")
        .map(str::to_owned)
}

fn lists_stamp() -> u128 {
    let changed = fs::metadata(APT_LISTS).and_then(|meta| meta.modified());
    let since = changed.map(|time| time.duration_since(UNIX_EPOCH).unwrap_or_default());
    since.unwrap_or_default().as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_is_what_apt_would_install() {
        let policy = "linux-source-6.12:\n  Installed: (none)\n  Candidate: 6.12.117-1~deb12u1\n  \
                      Version table:\n     6.12.117-1~deb12u1 500\n";
        assert_eq!(
            parse_candidate(policy).as_deref(),
            Some("6.12.117-1~deb12u1")
        );
        assert_eq!(parse_candidate("x:\n  Candidate: (none)\n"), None);
        assert_eq!(parse_candidate(""), None);
    }
}
