// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Debian's source package of a base: its name and version, and its download. Mirrors, proxies and keys are
//! those of the machine's apt.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::lists::Lists;
use crate::env::atomic;
use crate::env::command::{self, shell_in};
use crate::env::context::Context;
use crate::queue::base::Base;

/// A package and the version that apt would install.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Name, for example `linux-source-6.12`.
    pub name: String,
    /// Version, for example `6.12.117-1~deb12u1`.
    pub version: String,
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// The package that was found last, valid while apt's lists have the same stamp: running apt takes most
/// of a second.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CachedPackage {
    package: Package,
    lists: u128,
}

/// The source package of `base`; if apt no longer has it, the one that was found last.
pub fn find(ctx: &Context, base: &Base) -> Result<Package> {
    let file = ctx
        .cache_dir("sources")?
        .join(format!("{}.json", base.package.replace('*', "newest")));
    let lists = Lists::of(ctx, base.suite.as_deref())?;
    let cached: Option<CachedPackage> = fs::read(&file)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    if let Some(known) = &cached
        && known.lists == lists.stamp()
    {
        return Ok(known.package.clone());
    }
    let package = match (newest_now(&lists, base)?, cached) {
        (Some(package), _) => package,
        (None, Some(known)) => return Ok(known.package),
        (None, None) => bail!("apt has no package {}; {}", base.package, lists.advice()),
    };
    let cached = CachedPackage {
        package: package.clone(),
        lists: lists.stamp(),
    };
    atomic::write(&file, serde_json::to_string(&cached)?)?;
    Ok(package)
}

/// Downloads the package into `dir`.
pub fn download(ctx: &Context, dir: &Path, base: &Base, package: &Package) -> Result<PathBuf> {
    let lists = Lists::of(ctx, base.suite.as_deref())?;
    let sh = shell_in(dir)?;
    let version = format!("{}={}", package.name, package.version);
    let get = || {
        let apt_get = lists.command(&sh, "apt-get");
        command::output(apt_get.args(["--quiet", "download", &version]))
    };
    // mirrors remove old versions, so that old package lists name missing files
    let mut result = get();
    if result.is_err() && lists.update()? {
        result = get();
    }
    result.with_context(|| {
        format!("cannot download {package}; if apt's lists are old, run `apt-get update`")
    })?;
    only_deb(dir)
}

/// The package that was downloaded into `dir`.
pub fn only_deb(dir: &Path) -> Result<PathBuf> {
    fs::read_dir(dir)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "deb"))
        .with_context(|| format!("`apt-get download` wrote no package to {}", dir.display()))
}

/// The newest package; updates the lists if they lack one, as on a new machine.
fn newest_now(lists: &Lists, base: &Base) -> Result<Option<Package>> {
    let known = newest(lists, base)?;
    if known.is_some() || !lists.update()? {
        return Ok(known);
    }
    newest(lists, base)
}

/// The newest package that matches [`Base::package`], at the version that apt would install.
fn newest(lists: &Lists, base: &Base) -> Result<Option<Package>> {
    let sh = shell_in("/")?;
    let names = lists.command(&sh, "apt-cache").arg("pkgnames");
    let names = command::output(names.arg(base.family()))?;
    let Some(name) = newest_name(&names, base) else {
        return Ok(None);
    };
    Ok(lists
        .candidate(&name)?
        .map(|version| Package { name, version }))
}

/// The line of `names` that matches [`Base::package`]: the equal one, or the one with the highest number
/// for the `*`.
fn newest_name(names: &str, base: &Base) -> Option<String> {
    if !base.package.ends_with('*') {
        let exists = names.lines().any(|name| name == base.package);
        return exists.then(|| base.package.clone());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_package_has_the_highest_number() {
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
