// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make refresh`: the patches written back from the commits of `make tree`.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::tree::WRITTEN;
use crate::env::context::Context;
use crate::queue::gittree::{GitTree, is_git_tree};
use crate::queue::refresh;

/// What `make refresh` takes.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let dir = ctx.tree();
    ensure!(
        is_git_tree(&dir),
        "there is no tree at {}; `make tree` makes it",
        dir.display()
    );
    let tree = GitTree::at(&dir)?;
    let changes = tree.changes()?;
    ensure!(
        changes.is_empty(),
        "{} has changes that are in no commit; commit them (`git commit --fixup` and `git rebase \
         --autosquash` put them into a patch) or take them back:\n{changes}",
        dir.display()
    );
    for state in ["rebase-merge", "rebase-apply"] {
        let path = tree.run(["rev-parse", "--git-path", state])?;
        ensure!(
            !dir.join(path).exists(),
            "{} is in the middle of a rebase; end or abort it first",
            dir.display()
        );
    }
    let changes = refresh::write_back(&tree, &ctx.base, &ctx.patches())?;
    tree.run(["update-ref", WRITTEN, "HEAD"])?;
    println!(
        "patches/{}: {} written, {} removed, {} as they were",
        ctx.base, changes.written, changes.removed, changes.kept
    );
    Ok(ExitCode::SUCCESS)
}
