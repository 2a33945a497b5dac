// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Trees without git: applies the series to copies of the files, then replaces the files.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::journal::Journal;
use super::{Applied, Trial, try_series, writable};
use crate::env::progress::Progress;
use crate::queue::gittree::{Committer, GitTree};
use crate::queue::series::Series;

/// Applies `series` to the tree at `dir`.
pub fn change(dir: &Path, series: &Series, progress: Progress) -> Result<Applied> {
    if let Some(journal) = Journal::find(dir)? {
        let files = journal.undo()?;
        progress.note(format!(
            "an earlier `make apply` was interrupted in {}; undid its changes to {files} files",
            dir.display()
        ));
    }
    let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
    let copies = copies(dir, series, scratch.path())?;
    let commits = match try_series(&copies, "base", series, Committer::Harness, dir)? {
        Trial::Already => return Ok(Applied::Already),
        Trial::Commits(commits) => commits,
    };
    let Some(last) = commits.last() else {
        return Ok(Applied::Files(0));
    };
    let changed = copies.run(["diff", "--name-only", "--no-renames", "base", last])?;
    let changed: Vec<&str> = changed.lines().collect();
    copies.check_out(last)?;
    writable::check(dir, &changed)?;
    let journal = Journal::begin(dir, scratch.path(), &changed)
        .with_context(|| format!("nothing was changed in {}", dir.display()))?;
    let Err(error) = journal.carry_out() else {
        return Ok(Applied::Files(changed.len()));
    };
    journal.undo().with_context(|| {
        format!(
            "{error:#}; undoing the changes failed as well: fix the cause and run `make apply` \
             again, which first undoes them"
        )
    })?;
    Err(error.context(format!(
        "cannot change {}; all changes were undone",
        dir.display()
    )))
}

/// Copies the files that the series changes to `scratch`, as a git tree.
fn copies(dir: &Path, series: &Series, scratch: &Path) -> Result<GitTree> {
    for name in &touched(series) {
        let (from, to) = (dir.join(name), scratch.join(name));
        if !from.exists() {
            continue;
        }
        fs::create_dir_all(to.parent().unwrap_or(scratch))?;
        fs::copy(&from, &to)?;
    }
    // an empty folder cannot be committed
    fs::write(scratch.join(".bpf-streams"), "")?;
    GitTree::import(scratch, "the files that the series changes")
}

/// The names of old and new files in the patches.
fn touched(series: &Series) -> BTreeSet<String> {
    const HEADS: [&str; 4] = ["--- a/", "+++ b/", "rename from ", "rename to "];
    let mut names = BTreeSet::new();
    for patch in &series.patches {
        for line in String::from_utf8_lossy(&patch.text).lines() {
            let name = HEADS.iter().find_map(|head| line.strip_prefix(head));
            // git quotes unusual names, and rejects those outside of the tree
            names.extend(name.filter(|name| !name.contains("..")).map(str::to_owned));
        }
    }
    names
}

#[cfg(test)]
mod tests;
