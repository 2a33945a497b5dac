// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Every version of a base's package on the machine's mirrors, including those of other suites of Debian.
//!
//! apt runs with its own sources.list and package lists in the cache; the machine's are unchanged.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::lists::CachedLists;
use crate::env::command::{self, cmd, shell_in};
use crate::env::context::Context;
use crate::queue::base::{self, Base};

/// Prints the repositories of this machine, one per line.
const REPOSITORY: &str = "$(REPO_URI) $(RELEASE)";

/// The versions of a base's package in all suites.
#[derive(Debug)]
pub struct Archive {
    lists: CachedLists,
    package: String,
}

impl Archive {
    /// Updates the package lists if they are older than a day.
    pub fn open(ctx: &Context, base: &Base) -> Result<Archive> {
        let sh = shell_in("/")?;
        let filter = ["Created-By: Packages", "Origin: Debian"];
        let repositories = command::output(cmd!(
            sh,
            "apt-get indextargets --format {REPOSITORY} {filter...}"
        ))?;
        let sources = sources(&repositories, base);
        ensure!(
            !sources.is_empty(),
            "apt has no repository of Debian; run `apt-get update`, or check /etc/apt"
        );
        let package = base.package.clone();
        let lists = CachedLists::open(ctx, &package, "all suites".to_owned())?;
        if !(lists.are_fresh() && lists.are_of(&sources))
            && let Err(error) = lists.update(&sources)
        {
            // without a network the older lists are used, and a mirror may lack a suite
            ctx.progress.note(format!(
                "cannot update the package lists of every suite; using those in the cache: {error:#}"
            ));
        }
        Ok(Archive { lists, package })
    }

    /// One version of each kernel release, the newest first.
    pub fn versions(&self) -> Result<Vec<String>> {
        let sh = shell_in("/")?;
        let apt_cache = self.lists.command(&sh, "apt-cache");
        let madison = command::output(apt_cache.args(["madison", &self.package]))?;
        Ok(one_per_release(&madison))
    }

    /// Downloads a version of the package into `dir`.
    pub fn download(&self, dir: &Path, version: &str) -> Result<PathBuf> {
        let sh = shell_in(dir)?;
        let apt_get = self.lists.command(&sh, "apt-get");
        let package = format!("{}={version}", self.package);
        command::output(apt_get.args(["--quiet", "download", &package]))
            .with_context(|| format!("cannot download {} {version}", self.package))?;
        super::package::only_deb(dir)
    }
}

/// A sources.list with the suites of this machine, and those of [`Base::other_suites`] in the same
/// archives.
fn sources(repositories: &str, base: &Base) -> String {
    let mut lines = BTreeSet::new();
    for repository in repositories.lines() {
        let Some((uri, suite)) = repository.split_once(' ') else {
            continue;
        };
        let archive = uri.trim_end_matches('/').rsplit('/').next();
        let others = archive.and_then(|name| base.other_suites.get(name));
        let others = others.into_iter().flatten().map(String::as_str);
        for suite in others.chain([suite]) {
            lines.insert(format!("deb {uri} {suite} main\n"));
        }
    }
    lines.into_iter().collect()
}

/// The newest version of each kernel release in the output of `apt-cache madison`.
fn one_per_release(madison: &str) -> Vec<String> {
    let mut releases = BTreeSet::new();
    let mut versions = Vec::new();
    for line in madison.lines().filter(|line| line.ends_with("Packages")) {
        let version = line.split('|').nth(1).unwrap_or_default().trim();
        if !version.is_empty() && releases.insert(base::release_of(version)) {
            versions.push(version.to_owned());
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_the_suites_of_the_machine_and_of_the_base() {
        let base = Base {
            other_suites: [(
                "debian-security".to_owned(),
                vec!["trixie-security".to_owned()],
            )]
            .into(),
            ..Base::default()
        };
        let repositories = "http://m/debian/ bookworm\nhttp://m/debian/ bookworm\n\
                      http://m/debian-security/ bookworm-security\n";
        assert_eq!(
            sources(repositories, &base),
            "deb http://m/debian-security/ bookworm-security main\n\
             deb http://m/debian-security/ trixie-security main\n\
             deb http://m/debian/ bookworm main\n"
        );
        assert_eq!(sources("", &base), "");
    }

    #[test]
    fn one_version_of_each_release_is_used() {
        let madison = "p | 6.12.117-1 | http://m trixie-security/main amd64 Packages\n\
                    p | 6.12.117-1 | http://m trixie-security/main arm64 Packages\n\
                    p | 6.12.115-2 | http://m trixie-security/main amd64 Packages\n\
                    p | 6.12.115-1 | http://m trixie-security/main amd64 Packages\n\
                    linux | 6.12.90-1 | http://m trixie/main Sources\n";
        assert_eq!(one_per_release(madison), ["6.12.117-1", "6.12.115-2"]);
        assert!(one_per_release("").is_empty());
    }
}
