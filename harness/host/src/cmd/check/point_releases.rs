// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The series applies to every point release of its base that Debian's mirrors offer.
//!
//! Each is fetched once and kept as a commit in the tree of the checks, which needs little space, since
//! most files equal those of the base.

use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::{Checkout, Findings};
use crate::env::cache_key::Digest;
use crate::queue::base;
use crate::queue::series::Series;
use crate::queue::source::{self, Archive, Source};

/// Prefix of the folders in which sources are unpacked.
const UNPACKING: &str = "point-";

/// Applies the series to each point release.
pub fn check(
    checkout: &Checkout<'_>,
    source: &Source,
    series: &Series,
    findings: &mut Findings,
) -> Result<()> {
    let archive = Archive::open(checkout.ctx, &source.base)?;
    let newest = base::release_of(&source.package.version);
    let versions = archive.versions()?;
    if versions.is_empty() {
        checkout.ctx.progress.note(format!(
            "the mirrors name no version of {}, so the series was put onto {newest} only",
            source.base.package
        ));
    }
    for version in versions {
        let release = base::release_of(&version);
        if release == newest {
            continue;
        }
        let name = format!("refs/points/{release}");
        if checkout.tree.commit_of(&name)?.is_none() {
            let fetched = fetch(checkout, &archive, source, &version, &name);
            if let Err(error) = fetched {
                findings.wrong.push(format!("{release}: {error:#}"));
                continue;
            }
        }
        if !source.base.is_for(release) {
            let applied = checkout.tree.commits_on(&name, series);
            let found = match applied {
                Ok(_) => &mut findings.points,
                Err(_) => &mut findings.too_old,
            };
            found.push(release.to_owned());
        } else if applies(checkout, series, release, &name, findings)? {
            findings.points.push(release.to_owned());
        }
    }
    Ok(())
}

/// Applies the series to the commit `name`; a series that does not apply is a finding.
fn applies(
    checkout: &Checkout<'_>,
    series: &Series,
    release: &str,
    name: &str,
    findings: &mut Findings,
) -> Result<bool> {
    let files = checkout
        .tree
        .run(["rev-parse", &format!("{name}^{{tree}}")])?;
    let mut key = Digest::default();
    key.add("point", files);
    key.add("series", series.key());
    checkout.once(&key, findings, || {
        let misfit = checkout.tree.commits_on(name, series).err();
        let told = misfit.map(|error| format!("{release}: {error:#}"));
        Ok(told.into_iter().collect())
    })
}

/// Removes folders of interrupted runs; this run holds the lock of the parent folder.
fn remove_leftovers(dir: &Path) -> Result<()> {
    for entry in dir.read_dir().into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNPACKING) {
            let old = entry.path();
            fs::remove_dir_all(&old)?;
        }
    }
    Ok(())
}

/// Commits a version of the source.
fn fetch(
    checkout: &Checkout<'_>,
    archive: &Archive,
    source: &Source,
    version: &str,
    name: &str,
) -> Result<()> {
    let package = &source.base.package;
    let what = format!("{package} {version}");
    let stage = checkout
        .ctx
        .progress
        .stage("source", format!("getting {what}"));
    let scratch = checkout.ctx.cache_dir("check")?;
    remove_leftovers(&scratch)?;
    let scratch = tempfile::Builder::new()
        .prefix(UNPACKING)
        .tempdir_in(&scratch)
        .with_context(|| format!("cannot write to {}", scratch.display()))?;
    let deb = archive.download(scratch.path(), version)?;
    stage.update(format!("unpacking {what}"));
    let top = source::unpack_deb(scratch.path(), &deb, package)?;
    stage.update(format!("putting {what} under git"));
    checkout.tree.import_folder(&top, name)?;
    fs::remove_dir_all(&top)?;
    stage.done(what);
    Ok(())
}
