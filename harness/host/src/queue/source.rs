// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The kernel's source: Debian's source package as a git tree in the cache, with the series as commits.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::env::atomic;
use crate::env::command::{self, cmd, shell_in};
use crate::env::context::Context;
use crate::env::disk;
use crate::env::lock::{self, Lock};
use crate::queue::base::{self, Base};
use crate::queue::gittree::GitTree;
use crate::queue::series::Series;

mod archive;
mod lists;
mod package;

pub use archive::Archive;
pub use lists::Lists;
pub use package::Package;

/// Space for a tree, its git objects and the package.
const TREE_SPACE: u64 = 3 << 30;

/// A base at the version of Debian's package.
#[derive(Clone, Debug)]
pub struct Source {
    /// The base.
    pub base: Base,
    /// The source package, for example `linux-source-6.12` at `6.12.117-1~deb12u1`.
    pub package: Package,
}

/// A tree of the cache, locked by this run.
#[derive(Debug)]
pub struct HeldTree {
    /// The tree.
    pub git: GitTree,
    _lock: Lock,
}

/// Finds the current source package of the base. Prints a note if the series was not tested with it.
pub fn find(ctx: &Context) -> Result<Source> {
    let base = base::load(ctx)?;
    let package = package::find(ctx, &base)?;
    let release = base::release_of(&package.version);
    if release != base.tested_with {
        ctx.progress.note(format!(
            "Debian's {} is now {release}; the series was last tested with {} (tested_with in \
             patches/{}/base.json)",
            package.name, base.tested_with, ctx.base
        ));
    }
    Ok(Source { base, package })
}

impl Source {
    /// The kernel release, for example `6.12.117`.
    #[must_use]
    pub fn release(&self) -> &str {
        base::release_of(&self.package.version)
    }

    /// A name for folders of this source.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}_{}", self.package.name, self.package.version)
    }

    /// The tree of this source, locked for this run. Downloads and unpacks the package if the cache
    /// does not have the tree.
    pub fn hold_tree(&self, ctx: &Context) -> Result<HeldTree> {
        let trees = ctx.cache_dir("trees")?;
        let name = self.folder();
        let dir = trees.join(&name);
        let lock = lock::take(&trees.join(format!("{name}.lock")), ctx.progress)?;
        if !dir.is_dir() {
            self.unpack(ctx, &trees, &dir)?;
        }
        Ok(HeldTree {
            git: GitTree::at(&dir)?,
            _lock: lock,
        })
    }

    /// The commits of the series on this source.
    pub fn apply(&self, tree: &GitTree, series: &Series) -> Result<Vec<String>> {
        tree.commits(series).map_err(|error| {
            let release = self.release();
            if release == self.base.tested_with {
                return error;
            }
            error.context(format!(
                "the base has changed: Debian's {} is now {release}, the series was last tested with {}; \
                 rebase the patch onto it",
                self.package.name, self.base.tested_with
            ))
        })
    }

    /// Downloads the package and makes it a git tree at `dir`.
    fn unpack(&self, ctx: &Context, trees: &Path, dir: &Path) -> Result<()> {
        disk::ensure_free(trees, TREE_SPACE, "the kernel's source")?;
        remove_leftovers(trees, self.base.family())?;
        let name = &self.package.name;
        let stage = ctx
            .progress
            .stage("source", format!("downloading {}", self.package));
        let scratch = tempfile::Builder::new()
            .prefix(&format!("{name}-unpacking-"))
            .tempdir_in(trees)
            .with_context(|| format!("cannot create a folder in {}", trees.display()))?;
        let deb = package::download(ctx, scratch.path(), &self.base, &self.package)?;
        stage.update(format!("unpacking {name}"));
        let top = unpack_deb(scratch.path(), &deb, name)?;
        stage.update(format!("committing {name} to git"));
        let release = self.release();
        GitTree::import(&top, &format!("Linux {release}, {}", self.package))?;
        atomic::rename(&top, dir)?;
        stage.done(&self.package);
        Ok(())
    }
}

/// Unpacks the tarball of the package `deb`, and returns the top of the tree.
pub fn unpack_deb(scratch: &Path, deb: &Path, package: &str) -> Result<PathBuf> {
    let sh = shell_in(scratch)?;
    command::output(cmd!(sh, "dpkg-deb --extract {deb} deb"))?;
    let tarball = scratch.join(format!("deb/usr/src/{package}.tar.xz"));
    let top = scratch.join("tree");
    fs::create_dir(&top)?;
    command::output(cmd!(
        sh,
        "tar --extract --strip-components=1 --file {tarball} --directory {top}"
    ))?;
    Ok(top)
}

/// Removes the folders of interrupted runs, and the trees of other versions, which take gigabytes each
/// and are not used again. `family` is the prefix of the names of the base's packages.
fn remove_leftovers(trees: &Path, family: &str) -> Result<()> {
    for entry in fs::read_dir(trees)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(family) || !entry.path().is_dir() {
            continue;
        }
        let unpacking = name.contains("-unpacking-");
        if unpacking || (name.contains('_') && is_free(trees, &name)) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Whether no run holds the lock of the tree `name`.
fn is_free(trees: &Path, name: &str) -> bool {
    std::fs::File::create(trees.join(format!("{name}.lock")))
        .is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::gittree::tests::{patch, series};

    fn apply_error(version: &str) -> String {
        let root = tempfile::tempdir().unwrap();
        let files = root.path().join("tree");
        fs::create_dir(&files).unwrap();
        fs::write(files.join("a.c"), "head\nother\ntail\n").unwrap();
        let tree = GitTree::import(&files, "base").unwrap();
        let series = series(&root.path().join("patches"), &[patch("a.c", "one", "two")]);
        let source = Source {
            base: Base {
                title: String::new(),
                package: "linux-source-6.12".to_owned(),
                tested_with: "6.12.117".to_owned(),
                ..Base::default()
            },
            package: Package {
                name: "linux-source-6.12".to_owned(),
                version: version.to_owned(),
            },
        };
        format!("{:#}", source.apply(&tree, &series).unwrap_err())
    }

    #[test]
    fn the_error_of_a_patch_mentions_a_changed_base() {
        let error = apply_error("6.12.118-1~deb12u1");
        for part in [
            "the base has changed",
            "6.12.118",
            "6.12.117",
            "0001-p.patch does not apply",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_error_does_not_mention_an_unchanged_base() {
        let error = apply_error("6.12.117-2");
        assert!(!error.contains("has changed"), "{error}");
        assert!(error.contains("0001-p.patch does not apply"), "{error}");
    }

    #[test]
    fn unused_trees_are_removed_and_locked_ones_kept() {
        let trees = tempfile::tempdir().unwrap();
        for name in ["p-unpacking-x", "p_1", "p_2", "q_1"] {
            fs::create_dir(trees.path().join(name)).unwrap();
        }
        let held = lock::take(
            &trees.path().join("p_2.lock"),
            crate::env::progress::Progress::Silent,
        );
        remove_leftovers(trees.path(), "p").unwrap();
        drop(held);
        let left = ["p-unpacking-x", "p_1", "p_2", "q_1"].map(|n| trees.path().join(n).exists());
        assert_eq!(left, [false, false, true, true]);
    }
}
