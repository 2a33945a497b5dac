// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make refresh`: writes the patches from the commits of `make tree`.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::tree::WRITTEN;
use crate::env::context::Context;
use crate::queue::gittree::{GitTree, is_git_tree};
use crate::queue::refresh;

/// Flags of `make refresh`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let dir = ctx.tree();
    ensure!(
        is_git_tree(&dir),
        "{} is no git tree; create it with `make tree`",
        dir.display()
    );
    let tree = GitTree::at(&dir)?;
    let changes = tree.changes()?;
    ensure!(
        changes.is_empty(),
        "{} has uncommitted changes; commit them (`git commit --fixup` and `git rebase \
         --autosquash` put them into a patch) or revert them:\n{changes}",
        dir.display()
    );
    for state in ["rebase-merge", "rebase-apply"] {
        let path = tree.run(["rev-parse", "--git-path", state])?;
        ensure!(
            !dir.join(path).exists(),
            "a rebase is in progress in {}; finish or abort it first",
            dir.display()
        );
    }
    let changes = refresh::write_back(&tree, &ctx.base, &ctx.patches())?;
    tree.run(["update-ref", WRITTEN, "HEAD"])?;
    println!(
        "patches/{}: {} written, {} removed, {} unchanged",
        ctx.base, changes.written, changes.removed, changes.kept
    );
    Ok(ExitCode::SUCCESS)
}
