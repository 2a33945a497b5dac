// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Copies of a tree that share its objects.

use std::path::Path;

use anyhow::Result;
use fs_err as fs;

use super::GitTree;
use crate::env::command::{self, cmd, shell_in};

impl GitTree {
    /// A tree at `dir` with the objects of the tree at `of`, and nothing checked out. Objects are hard
    /// links if possible; the new tree does not depend on the old one.
    pub fn copy(of: &Path, dir: &Path) -> Result<GitTree> {
        let tree = GitTree::at(dir)?;
        tree.run(["init", "--quiet", "--initial-branch=series"])?;
        let objects = dir.join(".git/objects");
        fs::remove_dir_all(&objects)?;
        let from = of.join(".git/objects");
        if copy_objects(&from, &objects, "--link").is_err() {
            // another disk, or no support of links: start again
            let _ = fs::remove_dir_all(&objects);
            copy_objects(&from, &objects, "--reflink=auto")?;
        }
        Ok(tree)
    }

    /// Fetches the commit `from` of the tree at `of` as `to`, and the tag `base`.
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
    command::output(cmd!(
        sh,
        "cp --recursive --no-target-directory {how} {from} {to}"
    ))
    .map(drop)
}
