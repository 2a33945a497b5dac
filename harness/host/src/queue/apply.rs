// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Applies a series to a kernel tree of the user: all of it, or nothing.
//!
//! The steps that can fail come first and do not change the tree: the patches are applied to an index
//! or to copies, and every file that will change must be writable. A journal in the tree exists while
//! the tree is changed. If a run is interrupted, the next one finds the journal and first undoes the
//! changes.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::env::progress::Progress;
use crate::queue::gittree::{Committer, GitTree, is_git_tree, is_kernel_tree};
use crate::queue::series::Series;

mod commits;
mod crash_point;
mod journal;
mod lock;
mod plain;
mod writable;

use lock::TreeLock;

/// What [`onto`] did to the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The number of new commits.
    Commits(usize),
    /// The number of changed files, in a tree without git.
    Files(usize),
    /// Nothing: the tree already contains the series.
    Already,
}

/// Applies `series` to the tree at `dir`.
pub fn onto(dir: &Path, series: &Series, progress: Progress) -> Result<Applied> {
    ensure!(
        is_kernel_tree(dir),
        "{} is not the top of a kernel tree; set TREE= to the folder with the kernel's Makefile, \
         Kconfig and MAINTAINERS",
        dir.display()
    );
    let lock = TreeLock::take(dir, progress)?;
    if is_git_tree(dir) {
        commits::make(&GitTree::at(dir)?, &lock, series, progress)
    } else {
        plain::change(dir, series, progress)
    }
}

/// The result of trying a series on a commit.
enum Trial {
    /// The commits of the series.
    Commits(Vec<String>),
    /// The commit already contains the series.
    Already,
}

/// Tries `series` on `commit` of `tree`; `dir` is the user's tree, for error messages.
fn try_series(
    tree: &GitTree,
    commit: &str,
    series: &Series,
    committer: Committer,
    dir: &Path,
) -> Result<Trial> {
    let error = match tree.commits_as(committer, commit, series) {
        Ok(commits) => return Ok(Trial::Commits(commits)),
        Err(error) => error,
    };
    let (contained, all) = (tree.contains(commit, series)?, series.patches.len());
    let dir = dir.display();
    match contained {
        0 => Err(error.context(format!(
            "the series does not apply to {dir}, and nothing was changed: the tree differs from the \
             base where the patch below changes it; rebase the patch onto this tree (README, the \
             series on one's own kernel)"
        ))),
        _ if contained == all => Ok(Trial::Already),
        _ => Err(anyhow::anyhow!(
            "{dir} contains the first {contained} of the {all} patches, up to {}, and not the others; \
             nothing was changed. `make apply` needs a tree without any of them: revert these \
             {contained} first (in a git tree, check out the commit before them)",
            series.patches[contained - 1].name
        )),
    }
}
