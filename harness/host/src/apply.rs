// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Puts a series onto a kernel tree of the user's: all of it, or nothing.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::command::capture;
use crate::gittree::{GitTree, is_git_tree, misfit};
use crate::kernel::is_kernel_tree;
use crate::series::Series;

mod plain;

/// What was done to the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// So many commits were made.
    Commits(usize),
    /// So many files were changed, in a tree without git.
    Files(usize),
}

/// Puts `series` onto the tree at `dir`.
pub fn onto(dir: &Path, series: &Series) -> Result<Applied> {
    ensure!(
        is_kernel_tree(dir),
        "{} is not the top of a kernel tree; TREE= names the folder that holds the kernel's \
         Makefile, Kconfig and MAINTAINERS",
        dir.display()
    );
    if is_git_tree(dir) {
        commits(&GitTree::at(dir)?, series)
    } else {
        plain::files(dir, series).map(Applied::Files)
    }
}

fn commits(tree: &GitTree, series: &Series) -> Result<Applied> {
    let changes = tree.changes()?;
    ensure!(
        changes.is_empty(),
        "{} has changes that are not committed; commit or stash them first, so that nothing of \
         yours gets mixed with the series:\n{changes}",
        tree.dir().display()
    );
    let state = tree.run(["rev-parse", "--git-path", "rebase-apply"])?;
    ensure!(
        !tree.dir().join(&state).exists(),
        "{} is in the middle of a `git am` or a rebase; end or abort that first",
        tree.dir().display()
    );
    if series.patches.is_empty() {
        return Ok(Applied::Commits(0));
    }
    let before = tree.run(["rev-parse", "HEAD"])?;
    let paths = series.patches.iter().map(|patch| &patch.path);
    let out = capture(
        tree.git_as_user(["am", "--quiet", "--no-3way"])?
            .args(paths),
    )?;
    if out.status.success() {
        return Ok(Applied::Commits(series.patches.len()));
    }
    let failed = failed_patch(tree, &state, series);
    tree.run(["am", "--abort"])?;
    let after = tree.run(["rev-parse", "HEAD"])?;
    ensure!(
        before == after && tree.changes()?.is_empty(),
        "the series does not fit, and `git am --abort` did not bring {} back to {before}; \
         `git reset --hard {before}` does",
        tree.dir().display()
    );
    let said = String::from_utf8_lossy(&out.stderr);
    let told = match failed {
        Some(at) => misfit::describe(&series.patches[at], &said),
        None => format!("`git am` failed:\n{said}"),
    };
    Err(misfit(tree.dir(), &told))
}

/// Which patch `git am` stopped at, out of the state it keeps.
fn failed_patch(tree: &GitTree, state: &str, series: &Series) -> Option<usize> {
    let next = std::fs::read_to_string(tree.dir().join(state).join("next")).ok()?;
    let at = next.trim().parse::<usize>().ok()?.checked_sub(1)?;
    (at < series.patches.len()).then_some(at)
}

/// What is told of a series that does not fit, in either kind of tree.
fn misfit(dir: &Path, told: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "{told}\n{} is as it was. If the series is already there, nothing is to be done; else the \
         tree differs from the base where the patch changes it, and the patch has to be brought \
         up to it (README, the series on one's own kernel)",
        dir.display()
    )
}
