// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A base, the kernel that a series applies to: `patches/<base>/base.json`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::Deserialize;

use crate::env::context::Context;

/// `patches/<base>/base.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// Title for reports.
    pub title: String,
    /// Debian's package of the source; it contains `/usr/src/<package>.tar.xz`. A `*` at the end
    /// selects the newest package of that name.
    pub package: String,
    /// Debian's suite with the package, if the machine's own sources lack it.
    #[serde(default)]
    pub suite: Option<String>,
    /// The point release that the series was last tested with. If Debian has a newer one, that is used,
    /// and a note is printed.
    pub tested_with: String,
    /// The oldest point release that the series must apply to. `make check-series` also tries older
    /// ones, which may fail.
    #[serde(default)]
    pub applies_since: Option<String>,
    /// Further suites of Debian with other point releases of the package. The key is the name of the
    /// archive: the last part of a mirror's address.
    #[serde(default)]
    pub other_suites: BTreeMap<String, Vec<String>>,
}

/// The base that has no series: the other bases are compared with it. Programs written for it must behave
/// the same on the others, except for tests with `__not_in_mainline(…)`.
pub const REFERENCE: &str = "mainline";

impl Base {
    /// The prefix of the names of all packages that [`Base::package`] matches.
    #[must_use]
    pub fn family(&self) -> &str {
        self.package.trim_end_matches('*')
    }
}

/// Reads the base of `ctx`.
pub fn load(ctx: &Context) -> Result<Base> {
    let path = ctx.patches().join("base.json");
    let text = fs::read_to_string(&path)?;
    parse(&text).with_context(|| {
        format!(
            "{} does not describe a base; expected title, package, tested_with, and optionally suite, \
             applies_since and other_suites",
            path.display()
        )
    })
}

fn parse(text: &str) -> Result<Base> {
    Ok(serde_json::from_str(text)?)
}

impl Base {
    /// Whether the series must apply to `release`.
    pub fn is_for(&self, release: &str) -> bool {
        let oldest = self.applies_since.as_deref();
        oldest.is_none_or(|oldest| numbers(release) >= numbers(oldest))
    }
}

/// The components of a release, for comparison.
fn numbers(release: &str) -> Vec<u32> {
    release.split('.').map_while(|n| n.parse().ok()).collect()
}

/// The kernel release in the version of a Debian package: `6.12.117` of `6.12.117-1~deb12u1`.
pub fn release_of(package_version: &str) -> &str {
    package_version.split('-').next().unwrap_or(package_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_missing_fields_are_rejected() {
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
    fn a_series_must_apply_since_its_oldest_release() {
        let base = Base {
            applies_since: Some("6.12.99".to_owned()),
            ..Base::default()
        };
        assert!(base.is_for("6.12.99") && base.is_for("6.12.117"));
        assert!(!base.is_for("6.12.98"));
        assert!(Base::default().is_for("6.12"));
    }

    #[test]
    fn the_release_excludes_debians_revision() {
        assert_eq!(release_of("6.12.117-1~deb12u1"), "6.12.117");
        assert_eq!(release_of("6.12.117"), "6.12.117");
    }

    #[test]
    fn every_base_of_the_clone_is_valid() {
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
