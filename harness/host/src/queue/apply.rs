// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Puts a series onto a kernel tree of the user's: all of it, or nothing.
//!
//! Everything that can fail is done next to the tree: the patches are applied to an index or to
//! copies, and every file that will change is checked for being writable. Only then is the tree
//! changed, with a journal in it that an interrupted run leaves behind. The next run finds the
//! journal and takes the changes back before it does anything else.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::env::progress::Progress;
use crate::queue::gittree::{Committer, GitTree, is_git_tree, is_kernel_tree};
use crate::queue::series::Series;

mod commits;
mod fault;
mod journal;
mod lock;
mod plain;
mod writable;

use lock::TreeLock;

/// What was done to the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// So many commits were made.
    Commits(usize),
    /// So many files were changed, in a tree without git.
    Files(usize),
    /// Nothing: the tree contains the whole series.
    Already,
}

/// Puts `series` onto the tree at `dir`.
pub fn onto(dir: &Path, series: &Series, progress: Progress) -> Result<Applied> {
    ensure!(
        is_kernel_tree(dir),
        "{} is not the top of a kernel tree; TREE= names the folder that holds the kernel's \
         Makefile, Kconfig and MAINTAINERS",
        dir.display()
    );
    let lock = TreeLock::take(dir, progress)?;
    if is_git_tree(dir) {
        commits::make(&GitTree::at(dir)?, &lock, series, progress)
    } else {
        plain::change(dir, series, progress)
    }
}

/// How a series fits onto a commit.
enum Fit {
    /// It becomes these commits.
    Commits(Vec<String>),
    /// The commit contains all of it.
    Already,
}

/// Tries `series` on `commit` of `tree`; `dir` is the user's tree, for the error.
fn fit(
    tree: &GitTree,
    commit: &str,
    series: &Series,
    committer: Committer,
    dir: &Path,
) -> Result<Fit> {
    let error = match tree.commits_as(committer, commit, series) {
        Ok(commits) => return Ok(Fit::Commits(commits)),
        Err(error) => error,
    };
    let (there, all) = (tree.contains(commit, series)?, series.patches.len());
    let dir = dir.display();
    match there {
        0 => Err(error.context(format!(
            "the series does not fit {dir}, where nothing was changed: the tree differs from the \
             base where the patch below changes it, and the patch has to be brought up to it \
             (README, the series on one's own kernel)"
        ))),
        _ if there == all => Ok(Fit::Already),
        _ => Err(anyhow::anyhow!(
            "{dir} contains the first {there} of the {all} patches, up to {}, and not the others; \
             nothing was changed. `make apply` takes a tree without any of them: take these \
             {there} back first (in a git tree, go back to the commit before them)",
            series.patches[there - 1].name
        )),
    }
}
