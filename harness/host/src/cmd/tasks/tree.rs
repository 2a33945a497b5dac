// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make tree`: creates a git tree of the base with the series as commits, to work in.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;

use crate::env::context::Context;
use crate::env::disk;
use crate::queue::gittree::{GitTree, is_git_tree};
use crate::queue::series::Series;
use crate::queue::source;

/// The commit that the harness wrote last. While the branch is at this commit, moving it loses no work
/// of the user.
pub const WRITTEN: &str = "refs/streams/written";

/// Disk space of a tree: its files and an index. The objects are shared with the cache.
const TREE_NEEDS: u64 = 2 << 30;

/// Flags of `make tree`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the task.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let series = Series::load(&ctx.patches())?;
    let source = source::find(ctx)?;
    let cached = source.hold_tree(ctx)?;
    source.apply(&cached.git, &series)?;
    let from = match series.patches.last() {
        Some(patch) => format!("refs/series/{}", patch.prefix_key),
        None => "refs/tags/base".to_owned(),
    };
    let dir = ctx.tree();
    if is_git_tree(&dir) {
        move_branch(&GitTree::at(&dir)?, cached.git.dir(), &from)?;
    } else {
        create(ctx, &dir, cached.git.dir(), &from)?;
    }
    let shown = dir.strip_prefix(&ctx.repo).unwrap_or(&dir).display();
    println!(
        "{shown}: {} with {} patches as commits, on the branch `series`\n  \
         commit there; `make boot-test KERNEL={shown}` builds and tests the tree;\n  \
         `make refresh` writes the commits to patches/{}",
        source.package.version,
        series.patches.len(),
        ctx.base
    );
    Ok(ExitCode::SUCCESS)
}

/// Creates the tree under a temporary name and renames it when it is complete.
fn create(ctx: &Context, dir: &Path, cached: &Path, from: &str) -> Result<()> {
    let parent = dir.parent().unwrap_or(&ctx.repo);
    fs::create_dir_all(parent)?;
    disk::ensure_free(parent, TREE_NEEDS, "a kernel tree")?;
    let stage = ctx.progress.stage("tree", "checking out the series");
    let new = tempfile::Builder::new()
        .prefix(".tree-")
        .tempdir_in(parent)
        .with_context(|| format!("cannot write to {}", parent.display()))?;
    let tree = GitTree::copy(cached, new.path())?;
    tree.fetch(cached, from, WRITTEN)?;
    tree.run(["checkout", "--quiet", "-B", "series", WRITTEN])?;
    fs::rename(new.keep(), dir)?;
    stage.done("checked out the series");
    Ok(())
}

/// Moves the branch of an existing tree, if this loses no work of the user.
fn move_branch(tree: &GitTree, cached: &Path, from: &str) -> Result<()> {
    let head = tree.commit_of("HEAD")?;
    let written = tree.commit_of(WRITTEN)?;
    let changes = tree.changes()?;
    ensure!(
        head == written && changes.is_empty(),
        "{} has work that is not in the patches; write its commits to the patches with `make refresh`, \
         or remove the folder to start again{}",
        tree.dir().display(),
        if changes.is_empty() {
            String::new()
        } else {
            format!(":\n{changes}")
        }
    );
    tree.fetch(cached, from, WRITTEN)?;
    tree.run(["checkout", "--quiet", "-B", "series", WRITTEN])?;
    Ok(())
}
