// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Trees without git: the series is applied to copies first, and only then are files replaced.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::journal::Journal;
use super::{Applied, Fit, fit, writable};
use crate::env::progress::Progress;
use crate::queue::gittree::{Committer, GitTree};
use crate::queue::series::Series;

/// Changes the files of the tree at `dir`.
pub fn change(dir: &Path, series: &Series, progress: Progress) -> Result<Applied> {
    if let Some(journal) = Journal::find(dir)? {
        let files = journal.take_back()?;
        progress.note(format!(
            "an earlier `make apply` was interrupted in {}; its changes to {files} files are taken \
             back",
            dir.display()
        ));
    }
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let copies = copies(dir, series, scratch.path())?;
    let commits = match fit(&copies, "base", series, Committer::Harness, dir)? {
        Fit::Already => return Ok(Applied::Already),
        Fit::Commits(commits) => commits,
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
    let back = journal.take_back();
    back.with_context(|| {
        format!(
            "{error:#}; taking back what was changed failed, too: run `make apply` again when the \
             cause is gone, it begins with that"
        )
    })?;
    Err(error.context(format!(
        "{} could not be changed; what was changed is taken back",
        dir.display()
    )))
}

/// The files that the series touches, as a git tree of their own in `scratch`.
fn copies(dir: &Path, series: &Series, scratch: &Path) -> Result<GitTree> {
    for name in &touched(series) {
        let (from, to) = (dir.join(name), scratch.join(name));
        if !from.exists() {
            continue;
        }
        let parent = to.parent().unwrap_or(scratch);
        fs::create_dir_all(parent)
            .and_then(|()| fs::copy(&from, &to))
            .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    // git has nothing to commit in an empty folder
    fs::write(scratch.join(".bpf-streams"), "")
        .with_context(|| format!("cannot write to {}", scratch.display()))?;
    GitTree::import(scratch, "the files that the series changes")
}

/// The files that the patches name, old and new ones.
fn touched(series: &Series) -> BTreeSet<String> {
    const HEADS: [&str; 4] = ["--- a/", "+++ b/", "rename from ", "rename to "];
    let mut names = BTreeSet::new();
    for patch in &series.patches {
        for line in String::from_utf8_lossy(&patch.text).lines() {
            let name = HEADS.iter().find_map(|head| line.strip_prefix(head));
            // git quotes and escapes strange names, and refuses those that lead out of the tree
            names.extend(name.filter(|name| !name.contains("..")).map(str::to_owned));
        }
    }
    names
}

#[cfg(test)]
mod tests;
