// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Trees without git: the series is applied to copies first, and only then are files replaced.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::misfit;
use crate::gittree::GitTree;
use crate::series::Series;

/// Changes the files of the tree at `dir`, and returns how many.
pub fn files(dir: &Path, series: &Series) -> Result<usize> {
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let touched = touched(series);
    for name in &touched {
        let from = dir.join(name);
        if from.exists() {
            copy(&from, &scratch.path().join(name))?;
        }
    }
    // git has nothing to commit in an empty folder
    fs::write(scratch.path().join(".bpf-streams"), "")
        .with_context(|| format!("cannot write to {}", scratch.path().display()))?;
    let tree = GitTree::import(scratch.path(), "the files that the series changes")?;
    let commits = tree
        .commits(series)
        .map_err(|error| misfit(dir, &format!("{error:#}")))?;
    let Some(last) = commits.last() else {
        return Ok(0);
    };
    let changed = tree.run(["diff", "--name-only", "--no-renames", "base", last])?;
    let changed: Vec<&str> = changed.lines().collect();
    tree.check_out(last)?;
    if let Err(error) = replace(scratch.path(), dir, &changed) {
        tree.check_out("base")?;
        replace(scratch.path(), dir, &changed).with_context(|| {
            format!(
                "{error:#}; putting back what was changed failed, too; the files in {} are not \
                 all as they were",
                dir.display()
            )
        })?;
        return Err(error.context(format!("{} is as it was", dir.display())));
    }
    Ok(changed.len())
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

/// Makes the files `names` in `to` what they are in `from`, absent ones included.
fn replace(from: &Path, to: &Path, names: &[&str]) -> Result<()> {
    for name in names {
        let (new, old) = (from.join(name), to.join(name));
        if new.exists() {
            copy(&new, &old)?;
        } else if old.exists() {
            fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}
