// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The kernel's source: Debian's package of it as a git tree in the cache, and the series on it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::env::command::{self, command, shell_in};
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
pub use package::Package;

/// What a tree and its git objects take, and the package while it is unpacked.
const TREE_NEEDS: u64 = 3 << 30;

/// A base at the version that Debian has today.
#[derive(Clone, Debug)]
pub struct Source {
    /// The base.
    pub base: Base,
    /// The package that there is of it, for example `linux-source-6.12` at `6.12.117-1~deb12u1`.
    pub package: Package,
}

/// A tree of the cache, held by this run.
#[derive(Debug)]
pub struct HeldTree {
    /// The tree.
    pub git: GitTree,
    _lock: Lock,
}

/// Finds out which version of the base's source there is. One that was not tested yet is taken, and
/// a line says so.
pub fn find(ctx: &Context) -> Result<Source> {
    let base = base::load(ctx)?;
    let package = package::find(ctx, &base)?;
    let release = base::release_of(&package.version);
    if release != base.tested_with {
        ctx.progress.note(format!(
            "Debian's {} is at {release} now; the series was last tested with {} (tested_with in \
             patches/{}/base.json)",
            package.name, base.tested_with, ctx.base
        ));
    }
    Ok(Source { base, package })
}

impl Source {
    /// The kernel's release, for example `6.12.117`.
    #[must_use]
    pub fn release(&self) -> &str {
        base::release_of(&self.package.version)
    }

    /// The name of a folder for what is of this source.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}_{}", self.package.name, self.package.version)
    }

    /// The tree of this source, held for this run alone. It is fetched and unpacked where it is not
    /// in the cache yet.
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
                "the base has moved: Debian's {} is at {release}, the series was last tested with {}; \
                 the patch has to be brought up to it",
                self.package.name, self.base.tested_with
            ))
        })
    }

    /// Fetches the package and makes a tree of it at `dir`, which appears when all of it is there.
    fn unpack(&self, ctx: &Context, trees: &Path, dir: &Path) -> Result<()> {
        disk::ensure_free(trees, TREE_NEEDS, "the kernel's source")?;
        remove_leftovers(trees, self.base.family())?;
        let name = &self.package.name;
        let stage = ctx
            .progress
            .stage("source", format!("getting {}", self.package));
        let scratch = tempfile::Builder::new()
            .prefix(&format!("{name}-unpacking-"))
            .tempdir_in(trees)
            .with_context(|| format!("cannot make a folder in {}", trees.display()))?;
        let deb = package::download(ctx, scratch.path(), &self.base, &self.package)?;
        stage.update(format!("unpacking {name}"));
        let top = unpack_deb(scratch.path(), &deb, name)?;
        stage.update(format!("putting {name} under git"));
        let release = self.release();
        GitTree::import(&top, &format!("Linux {release}, {}", self.package))?;
        fs::rename(&top, dir)
            .with_context(|| format!("cannot move the tree to {}", dir.display()))?;
        stage.done(&self.package);
        Ok(())
    }
}

/// Unpacks the tarball in the package, and returns the top of the tree.
pub fn unpack_deb(scratch: &Path, deb: &Path, package: &str) -> Result<PathBuf> {
    let sh = shell_in(scratch)?;
    command::output(
        command(&sh, "dpkg-deb")
            .arg("--extract")
            .arg(deb)
            .arg("deb"),
    )?;
    let tarball = scratch.join(format!("deb/usr/src/{package}.tar.xz"));
    let top = scratch.join("tree");
    fs::create_dir(&top).with_context(|| format!("cannot create {}", top.display()))?;
    command::output(
        command(&sh, "tar")
            .args(["--extract", "--strip-components=1", "--file"])
            .arg(&tarball)
            .arg("--directory")
            .arg(&top),
    )
    .with_context(|| format!("cannot unpack {}", tarball.display()))?;
    Ok(top)
}

/// Removes what interrupted runs left, and the trees of older versions: nobody goes back to them,
/// and each takes gigabytes. `family` is what the names of the base's packages begin with.
fn remove_leftovers(trees: &Path, family: &str) -> Result<()> {
    let entries = trees
        .read_dir()
        .with_context(|| format!("cannot read {}", trees.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(family) || !entry.path().is_dir() {
            continue;
        }
        let unpacking = name.contains("-unpacking-");
        if unpacking || (name.contains('_') && is_free(trees, &name)) {
            fs::remove_dir_all(entry.path())
                .with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Whether no run holds the tree: a version that another run works with is left to it.
fn is_free(trees: &Path, name: &str) -> bool {
    fs::File::create(trees.join(format!("{name}.lock"))).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::gittree::tests::{patch, series};

    fn misfit(version: &str) -> String {
        let root = tempfile::tempdir().unwrap();
        let files = root.path().join("tree");
        fs::create_dir(&files).unwrap();
        fs::write(files.join("a.c"), "head\nmoved on\ntail\n").unwrap();
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
    fn where_the_base_has_moved_a_misfit_says_so() {
        let told = misfit("6.12.118-1~deb12u1");
        for part in [
            "the base has moved",
            "6.12.118",
            "6.12.117",
            "0001-p.patch does not apply",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn where_it_has_not_the_patch_alone_is_told() {
        let told = misfit("6.12.117-2");
        assert!(!told.contains("moved"), "{told}");
        assert!(told.contains("0001-p.patch does not apply"), "{told}");
    }

    #[test]
    fn leftovers_go_and_what_is_in_use_stays() {
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
