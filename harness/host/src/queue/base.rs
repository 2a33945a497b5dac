// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A base: the kernel that a series is for, as `patches/<base>/base.json` describes it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::env::context::Context;

/// `patches/<base>/base.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// What it is, for people.
    pub title: String,
    /// Debian's package of its source; it holds `/usr/src/<package>.tar.xz`. With a `*` at its end
    /// it stands for the newest of that name: for a base that moves on with the packages.
    pub package: String,
    /// Debian's suite that has it, where that is another than the machine is set to.
    #[serde(default)]
    pub suite: Option<String>,
    /// The point release that the series was last tested with. Debian's package moves on every few
    /// weeks; then the newer one is taken, and a line says so.
    pub tested_with: String,
    /// The oldest point release that the series is for. It is tried on older ones, too, and they are
    /// told apart; that it does not apply to one is no fault.
    #[serde(default)]
    pub applies_since: Option<String>,
    /// Further suites of Debian that hold the package at other point releases, by the name of the
    /// archive that they are in: the last part of a mirror's address.
    #[serde(default)]
    pub other_suites: BTreeMap<String, Vec<String>>,
}

/// The base that is not changed by a series but compared with: programs that were written for it are
/// to behave the same on the others. A selftest names it by `__not_in_mainline(…)`.
pub const REFERENCE: &str = "mainline";

impl Base {
    /// What the names of all packages that it may mean begin with.
    #[must_use]
    pub fn family(&self) -> &str {
        self.package.trim_end_matches('*')
    }
}

/// Reads the description of the base that `ctx` asks for.
pub fn load(ctx: &Context) -> Result<Base> {
    let path = ctx.patches().join("base.json");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| {
        format!(
            "{} is no description of a base; it needs title, package and tested_with, and may have suite",
            path.display()
        )
    })
}

fn parse(text: &str) -> Result<Base> {
    Ok(serde_json::from_str(text)?)
}

impl Base {
    /// Whether the series is for this release.
    pub fn is_for(&self, release: &str) -> bool {
        let oldest = self.applies_since.as_deref();
        oldest.is_none_or(|oldest| numbers(release) >= numbers(oldest))
    }
}

/// The numbers of a release, which are compared as such.
fn numbers(release: &str) -> Vec<u32> {
    release.split('.').map_while(|n| n.parse().ok()).collect()
}

/// The kernel's release in the version of a Debian package: `6.12.117` of `6.12.117-1~deb12u1`.
pub fn release_of(package_version: &str) -> &str {
    package_version.split('-').next().unwrap_or(package_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_read_and_a_typing_error_is_not_overlooked() {
        let text = r#"{"title": "t", "package": "linux-source-6.12", "tested_with": "6.12.117"}"#;
        assert_eq!(parse(text).unwrap().package, "linux-source-6.12");
        assert!(parse(&text.replace("tested_with", "testedwith")).is_err());
        assert!(parse(r#"{"title": "t"}"#).is_err());
        let moving = text.replace("6.12\"", "7.*\", \"suite\": \"s\"");
        let moving = parse(&moving).unwrap();
        assert_eq!(moving.family(), "linux-source-7.");
        assert_eq!(moving.suite.as_deref(), Some("s"));
    }

    #[test]
    fn a_series_is_for_the_releases_since_its_oldest() {
        let base = Base {
            applies_since: Some("6.12.99".to_owned()),
            ..Base::default()
        };
        assert!(base.is_for("6.12.99") && base.is_for("6.12.117"));
        assert!(!base.is_for("6.12.98"));
        assert!(Base::default().is_for("6.12"));
    }

    #[test]
    fn the_release_is_told_from_debians_revision() {
        assert_eq!(release_of("6.12.117-1~deb12u1"), "6.12.117");
        assert_eq!(release_of("6.12.117"), "6.12.117");
    }

    #[test]
    fn every_base_of_the_clone_is_well_formed() {
        let patches = crate::env::context::find_repo().unwrap().join("patches");
        let mut seen = 0;
        for folder in patches.read_dir().unwrap() {
            let file = folder.unwrap().path().join("base.json");
            parse(&fs::read_to_string(&file).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            seen += 1;
        }
        assert!(seen > 0, "no base under {}", patches.display());
    }
}
