// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Patches become commits in an index of their own: work files and the tree's index stay as they are.

use anyhow::{Context as _, Result, bail};
use xshell::Cmd;

use super::{GitTree, apply_error, message};
use crate::env::command::{self, capture};
use crate::queue::series::{Patch, Series};

/// The committer of the commits that patches become; their author is that of the patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committer {
    /// The harness, at the date of the patch: the same patches give the same commits everywhere.
    Harness,
    /// The user, now; the harness where git knows no name of the user.
    User,
}

impl GitTree {
    /// The commits of `series` on top of `commit`, which is not the base. Nothing is remembered of
    /// them, and work files stay as they are.
    pub fn commits_on(&self, commit: &str, series: &Series) -> Result<Vec<String>> {
        self.commits_as(Committer::Harness, commit, series)
    }

    /// The same, with a committer of choice.
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

    /// How many patches of `series`, counted from the first, `commit` already contains: the longest
    /// such run of patches that can be taken back from it, the last one first.
    pub fn contains(&self, commit: &str, series: &Series) -> Result<usize> {
        let index = Index::new(self, commit, Committer::Harness)?;
        for count in (1..=series.patches.len()).rev() {
            let patches = &series.patches[..count];
            // most candidates fail here, at the cost of one git process
            if index.can_take_back(&patches[count - 1])? && self.can_take_back(commit, patches)? {
                return Ok(count);
            }
        }
        Ok(0)
    }

    fn can_take_back(&self, commit: &str, patches: &[Patch]) -> Result<bool> {
        let index = Index::new(self, commit, Committer::Harness)?;
        for patch in patches.iter().rev() {
            if !index.take_back(patch)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// An index next to the tree's own.
pub(super) struct Index<'a> {
    tree: &'a GitTree,
    committer: Committer,
    scratch: tempfile::TempDir,
}

impl<'a> Index<'a> {
    pub(super) fn new(tree: &'a GitTree, commit: &str, committer: Committer) -> Result<Index<'a>> {
        let committer = match committer {
            Committer::User if !tree.knows_user()? => Committer::Harness,
            known => known,
        };
        let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
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

    /// Commits `patch` on top of `parent`. git applies a patch where its context is found word by
    /// word, at another line if need be, but never with fuzz.
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
            // the same patches give the same commits, whenever they are applied
            cmd = cmd.env("GIT_COMMITTER_DATE", &message.date);
        }
        command::output(cmd.stdin(&message.text))
    }

    /// Whether `patch` can be taken back from what the index holds.
    fn can_take_back(&self, patch: &Patch) -> Result<bool> {
        let cmd = self.git(["apply", "--cached", "--reverse", "--check"]);
        Ok(capture(cmd.arg(&patch.path))?.status.success())
    }

    /// Takes `patch` back, where it can be.
    fn take_back(&self, patch: &Patch) -> Result<bool> {
        let cmd = self.git(["apply", "--cached", "--reverse", "--whitespace=nowarn"]);
        Ok(capture(cmd.arg(&patch.path))?.status.success())
    }
}
