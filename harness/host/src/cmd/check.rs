// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Checks that every patch of a series can be sent: it applies, has the right form, passes checkpatch
//! and builds alone, without a new warning.
//!
//! `make test` runs the quick check; the full check takes longer and covers more.
//!
//! Passed checks are cached by their input: the text of a patch, or the files of the tree for a build.
//! After a change, only the affected checks run again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::build::kconfig::Requests;
use crate::env::arch::Arch;
use crate::env::atomic;
use crate::env::cache_key::Digest;
use crate::env::command::{self, cmd, shell_in};
use crate::env::context::Context;
use crate::env::lock::{self, Lock};
use crate::queue::gittree::GitTree;
use crate::queue::series::Series;
use crate::queue::source::{self, Source};

mod boot;
mod change;
mod checkpatch;
mod commit_message;
mod compile;
mod config_variants;
mod docs;
mod documented;
mod exported;
mod kfuncs;
mod libbpf;
mod point_releases;
mod sparse;
mod targets;
mod warnings;

/// The refs of the series' commits in the tree of the checks.
const SERIES: &str = "refs/streams/checked";

/// The depth of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// The form of each patch, the export of the series, and builds of the end of the series and of
    /// changed patches, on the selected architecture.
    Quick,
    /// Every check without a guest.
    Full,
    /// Every check, and a boot after every patch.
    Boots,
}

/// The results of the checks.
#[derive(Debug, Default)]
pub struct Findings {
    /// The findings; each begins with its patch or build.
    pub wrong: Vec<String>,
    /// Number of checks that ran.
    pub done: usize,
    /// Number of checks that passed earlier with the same input.
    pub remembered: usize,
    /// Skipped checks, with the reason.
    pub notes: Vec<String>,
    /// The versions of the source, except the newest, that the series applies to.
    pub points: Vec<String>,
    /// The older versions, which the series does not support and does not apply to.
    pub too_old: Vec<String>,
}

/// A tree for the checks, with the commits of the series.
///
/// It is not the tree of the kernel build: the checks check out every patch, and the build would
/// compile every touched file again.
struct Checkout<'a> {
    ctx: &'a Context,
    tree: GitTree,
    passed: PathBuf,
    _lock: Option<Lock>,
}

/// Checks every patch of `series`, and the series as a whole. Where a check cannot run, `findings` has
/// the results of the earlier ones.
pub fn series(ctx: &Context, series: &Series, depth: Depth, findings: &mut Findings) -> Result<()> {
    for (at, patch) in series.patches.iter().enumerate() {
        let wrong = commit_message::check(patch, at + 1, series.patches.len(), &ctx.base);
        findings.wrong.extend(wrong);
    }
    if series.patches.is_empty() {
        // the builds would check only the base
        return Ok(());
    }
    let source = source::find(ctx)?;
    let checkout = Checkout::new(ctx, &source, series)?;
    exported::check(&checkout, series, findings)?;
    checkpatch::check(&checkout, series, findings)?;
    documented::check(&checkout, findings)?;
    kfuncs::check_flags(&checkout, findings)?;
    if depth > Depth::Quick {
        docs::check(&checkout, findings)?;
    }
    compile::check(&checkout, series, depth, findings)?;
    if depth == Depth::Quick {
        return Ok(());
    }
    libbpf::check(&checkout, findings)?;
    config_variants::check(&checkout, findings)?;
    kfuncs::check_tags(&checkout, findings)?;
    point_releases::check(&checkout, &source, series, findings)?;
    if depth == Depth::Boots {
        boot::check(&checkout, series, findings)?;
    }
    Ok(())
}

/// Removes trees of other versions of the base.
fn remove_older(dir: &Path, family: &str) -> Result<()> {
    let entries = dir.read_dir().into_iter().flatten().flatten();
    for entry in entries {
        let of_base = entry.file_name().to_string_lossy().starts_with(family);
        if of_base && entry.path().join(".git").exists() {
            fs::remove_dir_all(entry.path())
                .with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    Ok(())
}

impl<'a> Checkout<'a> {
    fn new(ctx: &'a Context, source: &Source, series: &Series) -> Result<Checkout<'a>> {
        let dir = ctx.cache_dir("check")?;
        let lock = lock::take(&dir.join("lock"), ctx.progress)?;
        let cached = source.hold_tree(ctx)?;
        source.apply(&cached.git, series)?;
        let from = match series.patches.last() {
            Some(patch) => format!("refs/series/{}", patch.prefix_key),
            None => "refs/tags/base".to_owned(),
        };
        let top = dir.join(source.folder());
        let tree = if top.is_dir() {
            GitTree::at(&top)?
        } else {
            remove_older(&dir, source.base.family())?;
            let new = atomic::new_folder(&dir)?;
            GitTree::copy(cached.git.dir(), new.path())?;
            atomic::publish(new, &top)?;
            GitTree::at(&top)?
        };
        tree.fetch(cached.git.dir(), &from, SERIES)?;
        Ok(Checkout {
            ctx,
            tree,
            passed: ctx.cache_dir("check/passed")?,
            _lock: Some(lock),
        })
    }

    /// The configuration of a build for `arch`.
    fn context(&self, arch: Arch) -> Context {
        Context {
            arch,
            ..self.ctx.clone()
        }
    }

    /// The commits of the series, after that of the base.
    fn commits(&self) -> Result<Vec<String>> {
        let range = format!("base..{SERIES}");
        let list = self.tree.run(["rev-list", "--reverse", &range])?;
        Ok(list.lines().map(str::to_owned).collect())
    }

    /// The files that differ between two commits.
    fn touched(&self, from: &str, to: &str) -> Result<BTreeSet<String>> {
        let diff = ["diff", "--name-only", "--no-renames", from, to];
        Ok(self.tree.run(diff)?.lines().map(str::to_owned).collect())
    }

    /// The content of `path` in `commit`; empty where it does not exist.
    fn text(&self, commit: &str, path: &str) -> Result<String> {
        if self.tree.run(["ls-tree", commit, path])?.is_empty() {
            return Ok(String::new());
        }
        self.tree.run(["show", &format!("{commit}:{path}")])
    }

    /// Writes those of `paths` that exist in `commit` to `dir`.
    fn unpack(&self, commit: &str, paths: &[&str], dir: &Path) -> Result<()> {
        fs::create_dir_all(dir)?;
        let tree = self.tree.git(["ls-tree", "-r", "--name-only", commit]);
        let there = command::output(tree.arg("--").args(paths))?;
        let tar = dir.join(".tar");
        let archive = self.tree.git(["archive", "--format=tar", "--output"]);
        command::output(archive.arg(&tar).arg(commit).arg("--").args(there.lines()))?;
        let sh = shell_in(dir)?;
        command::output(cmd!(sh, "tar --extract --file=.tar"))?;
        Ok(fs::remove_file(&tar)?)
    }

    /// The cache key of a build: the files of the tree that builds read, and the kind of build. Commit
    /// messages are not part of the key.
    fn build_key(
        &self,
        what: &str,
        states: &[&str],
        ctx: &Context,
        requests: &Requests,
    ) -> Result<Digest> {
        let mut key = Digest::default();
        key.add("build", what);
        for state in states {
            key.add("files", self.built_files(state)?);
        }
        key.add("config", requests.text());
        key.add("arch", ctx.arch.names().name);
        Ok(key)
    }

    /// The hashes of the files that builds read.
    fn built_files(&self, state: &str) -> Result<String> {
        let top = self.tree.run(["ls-tree", state])?;
        let below = self
            .tree
            .run(["ls-tree", state, "tools/", "Documentation/"])?;
        // mode, kind and hash, a tab, the path
        let is_built = |line: &&str| {
            let path = line.split_once('\t').map(|(_, path)| path);
            path.is_some_and(targets::is_built)
        };
        let lines: Vec<&str> = top.lines().chain(below.lines()).filter(is_built).collect();
        Ok(lines.join("\n"))
    }

    /// Runs a check, unless it passed earlier with the same input. `check` returns its findings.
    fn once(
        &self,
        key: &Digest,
        findings: &mut Findings,
        check: impl FnOnce() -> Result<Vec<String>>,
    ) -> Result<bool> {
        if self.has_passed(key) {
            findings.remembered += 1;
            return Ok(true);
        }
        let wrong = check()?;
        findings.done += 1;
        let passed = wrong.is_empty();
        if passed {
            self.remember(key)?;
        }
        findings.wrong.extend(wrong);
        Ok(passed)
    }

    /// Whether a check passed earlier.
    fn has_passed(&self, key: &Digest) -> bool {
        self.passed.join(key.key()).exists()
    }

    /// Stores that a check passed.
    fn remember(&self, key: &Digest) -> Result<()> {
        let mark = self.passed.join(key.key());
        Ok(fs::write(&mark, "")?)
    }
}

#[cfg(test)]
mod tests;
