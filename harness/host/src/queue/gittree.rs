// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Kernel trees under git: a series as commits, and checkouts of them.
//!
//! Commits are made without changing work files, and a checkout writes only the files that differ. So
//! files that no patch changed keep their modification times, and builds are incremental.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use xshell::{Cmd, Shell};

use crate::env::command::{self, capture, cmd, shell_in};
use crate::queue::series::Series;

pub mod apply_error;
mod copy;
mod index;
mod message;

pub use index::Committer;
use index::Index;

/// The committer, and the author of commits that are not patches.
const COMMITTER: &str = "bpf-streams";
const COMMITTER_EMAIL: &str = "bpf-streams@localhost";

/// A git tree.
#[derive(Debug)]
pub struct GitTree {
    dir: PathBuf,
    sh: Shell,
}

impl GitTree {
    /// The tree whose top is `dir`. Does not check that it is one; see [`is_git_tree`].
    pub fn at(dir: &Path) -> Result<GitTree> {
        Ok(GitTree {
            dir: dir.to_owned(),
            sh: shell_in(dir)?,
        })
    }

    /// The top of the tree.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A git command in this tree, with `args`.
    pub fn git<const N: usize>(&self, args: [&str; N]) -> Cmd<'_> {
        // the user's signing keys, hooks and line endings must not change the commits
        cmd!(
            self.sh,
            "git -c commit.gpgSign=false -c core.hooksPath=/dev/null -c core.autocrlf=false
                 -c gc.auto=0 {args...}"
        )
    }

    /// [`GitTree::git`] with a committer that is the same on every machine.
    fn git_as_harness<const N: usize>(&self, args: [&str; N]) -> Cmd<'_> {
        self.git(args)
            .env("GIT_COMMITTER_NAME", COMMITTER)
            .env("GIT_COMMITTER_EMAIL", COMMITTER_EMAIL)
    }

    /// Runs a git command and returns its output.
    pub fn run<const N: usize>(&self, args: [&str; N]) -> Result<String> {
        command::output(self.git(args))
    }

    /// The commit that `name` refers to, if it exists.
    pub fn commit_of(&self, name: &str) -> Result<Option<String>> {
        let spec = format!("{name}^{{commit}}");
        let out = capture(self.git(["rev-parse", "--verify", "--quiet", &spec]))?;
        let text = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        Ok((out.status.success() && !text.is_empty()).then_some(text))
    }

    /// The work files that differ from HEAD, one per line; empty for a clean tree.
    pub fn changes(&self) -> Result<String> {
        self.run(["status", "--porcelain", "--untracked-files=no"])
    }

    /// Makes a tree of the files in `dir`: one commit, tagged `base`.
    pub fn import(dir: &Path, what: &str) -> Result<GitTree> {
        let tree = GitTree::at(dir)?;
        tree.run(["init", "--quiet", "--initial-branch=base"])?;
        // no fsync: the tree can be unpacked again
        for setting in ["core.fsync=none", "gc.auto=0", "core.autocrlf=false"] {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            tree.run(["config", name, value])?;
        }
        tree.run(["add", "--force", "--all"])?;
        let stamp = "1970-01-01T00:00:00Z";
        command::output(
            tree.git_as_harness(["commit", "--quiet", "--message", what])
                .env("GIT_AUTHOR_NAME", COMMITTER)
                .env("GIT_AUTHOR_EMAIL", COMMITTER_EMAIL)
                .env("GIT_AUTHOR_DATE", stamp)
                .env("GIT_COMMITTER_DATE", stamp),
        )?;
        tree.run(["tag", "base"])?;
        Ok(tree)
    }

    /// The commits of `series` on top of the tag `base`, one per patch, in order. Does not change work
    /// files. Commits of an earlier call are found by the key of their patches, and reused.
    pub fn commits(&self, series: &Series) -> Result<Vec<String>> {
        let mut commits = Vec::new();
        let mut parent = self
            .commit_of("base")?
            .with_context(|| format!("{} has no tag `base`", self.dir.display()))?;
        let mut index: Option<Index> = None;
        for patch in &series.patches {
            let name = format!("refs/series/{}", patch.prefix_key);
            let commit = match self.commit_of(&name)? {
                // an index of an earlier patch lacks this commit
                Some(known) => {
                    index = None;
                    known
                }
                None => {
                    let index = match &mut index {
                        Some(index) => index,
                        none => none.insert(Index::new(self, &parent, Committer::Harness)?),
                    };
                    let commit = index.commit(patch, &parent)?;
                    self.run(["update-ref", &name, &commit])?;
                    commit
                }
            };
            parent.clone_from(&commit);
            commits.push(commit);
        }
        Ok(commits)
    }

    /// Commits the files in `dir`, a folder outside of this tree, as the ref `name`.
    pub fn import_folder(&self, dir: &Path, name: &str) -> Result<()> {
        let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
        let git_dir = self.run(["rev-parse", "--absolute-git-dir"])?;
        let outside = GitTree::at(dir)?;
        let git = |cmd: Cmd<'_>| {
            command::output(
                cmd.env("GIT_DIR", &git_dir)
                    .env("GIT_WORK_TREE", dir)
                    .env("GIT_INDEX_FILE", scratch.path().join("index")),
            )
        };
        git(outside.git(["add", "--force", "--all"]))?;
        let written = git(outside.git(["write-tree"]))?;
        let commit = git(outside
            .git_as_harness(["commit-tree", &written, "-m", name])
            .env("GIT_AUTHOR_NAME", COMMITTER)
            .env("GIT_AUTHOR_EMAIL", COMMITTER_EMAIL))?;
        self.run(["update-ref", name, &commit]).map(drop)
    }

    /// [`GitTree::git`] with the user as committer, or the harness if git has no name of the user.
    pub fn git_as_user<const N: usize>(&self, args: [&str; N]) -> Result<Cmd<'_>> {
        Ok(if self.has_user()? {
            self.git(args)
        } else {
            self.git_as_harness(args)
        })
    }

    /// Whether git has a name of the user to commit with.
    fn has_user(&self) -> Result<bool> {
        let known = capture(self.git(["var", "GIT_COMMITTER_IDENT"]))?;
        Ok(known.status.success())
    }

    /// Checks `commit` out, whatever state an interrupted run left. Writes only files that differ.
    pub fn check_out(&self, commit: &str) -> Result<()> {
        // the caller holds the lock of this tree, so this lock of git is from an interrupted run
        let stale = self.dir.join(".git/index.lock");
        if stale.exists() {
            fs::remove_file(&stale)?;
        }
        self.run(["checkout", "--quiet", "--force", "--detach", commit])?;
        self.run(["clean", "--quiet", "--force", "-d"])?;
        Ok(())
    }
}

/// Whether `dir` is the top of a kernel tree.
pub fn is_kernel_tree(dir: &Path) -> bool {
    ["Kconfig", "Makefile", "MAINTAINERS", "kernel/bpf"]
        .iter()
        .all(|name| dir.join(name).exists())
}

/// Whether `dir` is the top of a git work tree.
pub fn is_git_tree(dir: &Path) -> bool {
    // in a linked work tree `.git` is a file
    dir.join(".git").exists()
}

#[cfg(test)]
pub mod tests;
