// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Debian's package of the source: which one and which version there is, and how to get it.
//!
//! Mirrors, proxies and keys are the machine's own: whatever its apt is set to.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::lists::Lists;
use crate::env::command::{self, shell_in};
use crate::env::context::Context;
use crate::queue::base::Base;

/// A package, and the version of it that apt would install.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name, for example `linux-source-6.12`.
    pub name: String,
    /// For example `6.12.117-1~deb12u1`.
    pub version: String,
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// The package that was found last, and what apt's lists looked like then. While they look the
/// same, apt need not be asked: that takes most of a second.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    package: Package,
    lists: u128,
}

/// The package of the base's source; where apt has forgotten it, the one that is in the cache.
pub fn find(ctx: &Context, base: &Base) -> Result<Package> {
    let memory = ctx
        .cache_dir("sources")?
        .join(format!("{}.json", base.package.replace('*', "newest")));
    let lists = Lists::of(ctx, base.suite.as_deref())?;
    let remembered: Option<Remembered> = fs::read(&memory)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    if let Some(known) = &remembered
        && known.lists == lists.stamp()
    {
        return Ok(known.package.clone());
    }
    let package = match (newest_now(&lists, base)?, remembered) {
        (Some(package), _) => package,
        (None, Some(known)) => return Ok(known.package),
        (None, None) => bail!("apt knows no package {}; {}", base.package, lists.advice()),
    };
    let remembered = Remembered {
        package: package.clone(),
        lists: lists.stamp(),
    };
    let text = serde_json::to_string(&remembered)?;
    fs::write(&memory, text).with_context(|| format!("cannot write {}", memory.display()))?;
    Ok(package)
}

/// Downloads the package into `dir`.
pub fn download(ctx: &Context, dir: &Path, base: &Base, package: &Package) -> Result<PathBuf> {
    let lists = Lists::of(ctx, base.suite.as_deref())?;
    let sh = shell_in(dir)?;
    let get = || {
        let cmd = lists.command(&sh, "apt-get").args(["--quiet", "download"]);
        command::output(cmd.arg(format!("{}={}", package.name, package.version)))
    };
    // mirrors drop old versions, and then lists of yesterday name files that are gone
    let mut got = get();
    if got.is_err() && lists.update()? {
        got = get();
    }
    got.with_context(|| {
        format!("cannot download {package}; if apt's lists are old, `apt-get update`")
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

/// The package; where apt knows none, its lists may be missing, as on a new machine.
fn newest_now(lists: &Lists, base: &Base) -> Result<Option<Package>> {
    let known = newest(lists, base)?;
    if known.is_some() || !lists.update()? {
        return Ok(known);
    }
    newest(lists, base)
}

/// The newest package that the base's name stands for, at the version that apt would install.
fn newest(lists: &Lists, base: &Base) -> Result<Option<Package>> {
    let sh = shell_in("/")?;
    let names = lists.command(&sh, "apt-cache").arg("pkgnames");
    let names = command::output(names.arg(base.family()))?;
    let Some(name) = newest_name(&names, base) else {
        return Ok(None);
    };
    let policy = lists.command(&sh, "apt-cache").args(["policy", &name]);
    let version = parse_candidate(&command::output(policy)?);
    Ok(version.map(|version| Package { name, version }))
}

/// Of `names`, a line each, the one that the base means: that very name, or the one with the highest
/// number in place of the `*`.
fn newest_name(names: &str, base: &Base) -> Option<String> {
    if !base.package.ends_with('*') {
        let is_there = names.lines().any(|name| name == base.package);
        return is_there.then(|| base.package.clone());
    }
    names
        .lines()
        .filter_map(|name| {
            let number = name.strip_prefix(base.family())?;
            let parts: Result<Vec<u32>, _> = number.split('.').map(str::parse).collect();
            Some((parts.ok()?, name))
        })
        .max()
        .map(|(_, name)| name.to_owned())
}

fn parse_candidate(policy: &str) -> Option<String> {
    policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|version| *version != "(none)")
        .map(str::to_owned)
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

    #[test]
    fn the_newest_of_a_family_is_the_one_with_the_highest_number() {
        let base = |package: &str| Base {
            package: package.to_owned(),
            ..Base::default()
        };
        let names = "linux-source-7.9\nlinux-source-7.10\nlinux-source-7.9-rt\nlinux-source-7.\n";
        let found = |package: &str| newest_name(names, &base(package));
        assert_eq!(
            found("linux-source-7.*").as_deref(),
            Some("linux-source-7.10")
        );
        assert_eq!(
            found("linux-source-7.9").as_deref(),
            Some("linux-source-7.9")
        );
        assert_eq!(found("linux-source-7.1"), None);
        assert_eq!(found("linux-source-8.*"), None);
    }
}
