// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Every version of a base's package that the machine's mirrors offer, in other suites of Debian, too.
//!
//! apt is asked with a list of sources and lists of packages of our own, so that what the machine
//! would install stays what it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::lists::Own;
use crate::env::command::{self, command, shell_in};
use crate::env::context::Context;
use crate::queue::base::{self, Base};

/// The places that this machine takes Debian's packages from, a line each.
const PLACE: &str = "$(REPO_URI) $(RELEASE)";

/// Debian's suites, as far as a base is concerned.
#[derive(Debug)]
pub struct Archive {
    lists: Own,
    package: String,
}

impl Archive {
    /// The archive as the mirrors have it, which are asked once a day.
    pub fn open(ctx: &Context, base: &Base) -> Result<Archive> {
        let sh = shell_in("/")?;
        let places = command::output(command(&sh, "apt-get").args([
            "indextargets",
            "--format",
            PLACE,
            "Created-By: Packages",
            "Origin: Debian",
        ]))?;
        let sources = sources(&places, base);
        ensure!(
            !sources.is_empty(),
            "apt knows no source of Debian's packages; `apt-get update`, or look at /etc/apt"
        );
        let package = base.package.clone();
        let lists = Own::open(ctx, &package, "the mirrors' suites".to_owned())?;
        if !(lists.are_of_today() && lists.are_of(&sources))
            && let Err(error) = lists.update(&sources)
        {
            // a machine without a network still has the lists of an earlier day, and a mirror need not
            // have every suite
            ctx.progress.note(format!(
                "the mirrors do not answer for every suite; what is known of them is taken: {error:#}"
            ));
        }
        Ok(Archive { lists, package })
    }

    /// A version of each release, the newest first.
    pub fn versions(&self) -> Result<Vec<String>> {
        let sh = shell_in("/")?;
        let said = command::output(
            self.lists
                .command(&sh, "apt-cache")
                .args(["madison", &self.package]),
        )?;
        Ok(one_a_release(&said))
    }

    /// Downloads a version of the package into `dir`.
    pub fn download(&self, dir: &Path, version: &str) -> Result<PathBuf> {
        let sh = shell_in(dir)?;
        let cmd = self
            .lists
            .command(&sh, "apt-get")
            .args(["--quiet", "download"]);
        command::output(cmd.arg(format!("{}={version}", self.package)))
            .with_context(|| format!("cannot download {} {version}", self.package))?;
        super::package::only_deb(dir)
    }
}

/// Lines of apt's configuration: the suites of this machine, and those that the base names for the
/// same archives.
fn sources(places: &str, base: &Base) -> String {
    let mut lines = BTreeSet::new();
    for place in places.lines() {
        let Some((uri, suite)) = place.split_once(' ') else {
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

/// The versions in what `apt-cache madison` says, the newest of each release.
fn one_a_release(madison: &str) -> Vec<String> {
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
    fn the_suites_of_the_machine_are_joined_by_those_that_the_base_names() {
        let base = Base {
            other_suites: [(
                "debian-security".to_owned(),
                vec!["trixie-security".to_owned()],
            )]
            .into(),
            ..Base::default()
        };
        let places = "http://m/debian/ bookworm\nhttp://m/debian/ bookworm\n\
                      http://m/debian-security/ bookworm-security\n";
        assert_eq!(
            sources(places, &base),
            "deb http://m/debian-security/ bookworm-security main\n\
             deb http://m/debian-security/ trixie-security main\n\
             deb http://m/debian/ bookworm main\n"
        );
        assert_eq!(sources("", &base), "");
    }

    #[test]
    fn a_release_is_taken_once() {
        let said = "p | 6.12.117-1 | http://m trixie-security/main amd64 Packages\n\
                    p | 6.12.117-1 | http://m trixie-security/main arm64 Packages\n\
                    p | 6.12.115-2 | http://m trixie-security/main amd64 Packages\n\
                    p | 6.12.115-1 | http://m trixie-security/main amd64 Packages\n\
                    linux | 6.12.90-1 | http://m trixie/main Sources\n";
        assert_eq!(one_a_release(said), ["6.12.117-1", "6.12.115-2"]);
        assert!(one_a_release("").is_empty());
    }
}
