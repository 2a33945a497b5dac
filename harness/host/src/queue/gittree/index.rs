// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Commits patches with a separate index: work files and the tree's index do not change.

use anyhow::{Context as _, Result, bail};
use xshell::Cmd;

use super::{GitTree, apply_error, message};
use crate::env::command::{self, capture};
use crate::queue::series::{Patch, Series};

/// The committer of patches; the author is the author of the patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committer {
    /// The harness, at the date of the patch: equal patches have equal commits on every machine.
    Harness,
    /// The user, now; or the harness, if git has no name of the user.
    User,
}

impl GitTree {
    /// The commits of `series` on top of `commit`. No ref is made for them, and work files do not
    /// change.
    pub fn commits_on(&self, commit: &str, series: &Series) -> Result<Vec<String>> {
        self.commits_as(Committer::Harness, commit, series)
    }

    /// Like [`GitTree::commits_on`], with a committer.
    pub fn commits_as(
        &self,
        committer: Committer,
        commit: &str,
        series: &Series,
    ) -> Result<Vec<String>> {
        let index = Index::new(self, commit, committer)?;
        let mut commits = Vec::new();
        let mut parent = commit.to_owned();
        for patch in &series.patches {
            parent = index.commit(patch, &parent)?;
            commits.push(parent.clone());
        }
        Ok(commits)
    }

    /// How many patches at the beginning of `series` the tree of `commit` contains: the most that can be
    /// reverted, the last one first.
    pub fn contains(&self, commit: &str, series: &Series) -> Result<usize> {
        let index = Index::new(self, commit, Committer::Harness)?;
        for count in (1..=series.patches.len()).rev() {
            let patches = &series.patches[..count];
            // most counts fail this check, which needs one git process
            if index.can_revert(&patches[count - 1])? && self.can_revert(commit, patches)? {
                return Ok(count);
            }
        }
        Ok(0)
    }

    fn can_revert(&self, commit: &str, patches: &[Patch]) -> Result<bool> {
        let index = Index::new(self, commit, Committer::Harness)?;
        for patch in patches.iter().rev() {
            if !index.revert(patch)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A separate index of a tree.
pub(super) struct Index<'a> {
    tree: &'a GitTree,
    committer: Committer,
    scratch: tempfile::TempDir,
}

impl<'a> Index<'a> {
    pub(super) fn new(tree: &'a GitTree, commit: &str, committer: Committer) -> Result<Index<'a>> {
        let committer = match committer {
            Committer::User if !tree.has_user()? => Committer::Harness,
            known => known,
        };
        let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
        let index = Index {
            tree,
            committer,
            scratch,
        };
        command::output(index.git(["read-tree", commit]))?;
        Ok(index)
    }

    fn git<const N: usize>(&self, args: [&str; N]) -> Cmd<'a> {
        let cmd = match self.committer {
            Committer::Harness => self.tree.git_as_harness(args),
            Committer::User => self.tree.git(args),
        };
        cmd.env("GIT_INDEX_FILE", self.scratch.path().join("index"))
    }

    /// Commits `patch` on top of `parent`. git applies a patch whose context is at another line, but
    /// never with fuzz.
    pub(super) fn commit(&self, patch: &Patch, parent: &str) -> Result<String> {
        let message = message::read(self.tree, patch, self.scratch.path())?;
        let apply = self.git(["apply", "--cached", "--whitespace=nowarn"]);
        let out = capture(apply.arg(&patch.path))?;
        if !out.status.success() {
            bail!(apply_error::describe(
                patch,
                &String::from_utf8_lossy(&out.stderr)
            ));
        }
        let written = command::output(self.git(["write-tree"]))?;
        let mut cmd = self
            .git(["commit-tree", &written, "-p", parent, "-F", "-"])
            .env("GIT_AUTHOR_NAME", &message.author)
            .env("GIT_AUTHOR_EMAIL", &message.email)
            .env("GIT_AUTHOR_DATE", &message.date);
        if self.committer == Committer::Harness {
            // equal patches have equal commits
            cmd = cmd.env("GIT_COMMITTER_DATE", &message.date);
        }
        command::output(cmd.stdin(&message.text))
    }

    /// Whether `patch` can be reverted in the index.
    fn can_revert(&self, patch: &Patch) -> Result<bool> {
        let cmd = self.git(["apply", "--cached", "--reverse", "--check"]);
        Ok(capture(cmd.arg(&patch.path))?.status.success())
    }

    /// Reverts `patch` in the index; returns whether that succeeded.
    fn revert(&self, patch: &Patch) -> Result<bool> {
        let cmd = self.git(["apply", "--cached", "--reverse", "--whitespace=nowarn"]);
        Ok(capture(cmd.arg(&patch.path))?.status.success())
    }
}
