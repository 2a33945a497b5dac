// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Further trees of the same objects.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::GitTree;
use crate::env::command::{self, command, shell_in};

impl GitTree {
    /// A tree at `dir` with the objects of the one at `of`, and nothing checked out. Objects are
    /// hard links where the disk allows it; the new tree does not depend on the old one.
    pub fn copy(of: &Path, dir: &Path) -> Result<GitTree> {
        let tree = GitTree::at(dir)?;
        tree.run(["init", "--quiet", "--initial-branch=series"])?;
        let objects = dir.join(".git/objects");
        fs::remove_dir_all(&objects)
            .with_context(|| format!("cannot remove {}", objects.display()))?;
        let from = of.join(".git/objects");
        if copy_objects(&from, &objects, "--link").is_err() {
            // another disk, or one without links: what was begun is done over
            let _ = fs::remove_dir_all(&objects);
            copy_objects(&from, &objects, "--reflink=auto")?;
        }
        Ok(tree)
    }

    /// Gets the commit that `from` names in the tree at `of`, and calls it `to` here; the tag `base`
    /// comes along.
    pub fn fetch(&self, of: &Path, from: &str, to: &str) -> Result<()> {
        let of = of.display().to_string();
        let commit = format!("+{from}:{to}");
        let base = "+refs/tags/base:refs/tags/base";
        self.run(["fetch", "--quiet", "--no-tags", &of, base, &commit])
            .map(drop)
    }
}

fn copy_objects(from: &Path, to: &Path, how: &str) -> Result<()> {
    let sh = shell_in("/")?;
    let cmd = command(&sh, "cp").args(["--recursive", "--no-target-directory", how]);
    command::output(cmd.arg(from).arg(to)).map(drop)
}
