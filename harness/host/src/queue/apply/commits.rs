// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Git trees: makes commits of the series outside of the branch, then moves the branch to the last one
//! with one `git merge --ff-only`. During that step a journal in the git folder names the commits before
//! and after it.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::crash_point::crash_point;
use super::{Applied, TreeLock, Trial, try_series, writable};
use crate::env::atomic;
use crate::env::command::{self, capture};
use crate::env::progress::Progress;
use crate::queue::gittree::{Committer, GitTree};
use crate::queue::series::Series;

/// Files and folders of git that exist during a command of the user.
const IN_PROGRESS: [(&str, &str); 6] = [
    ("index.lock", "another git command"),
    ("rebase-apply", "a `git am` or a rebase"),
    ("rebase-merge", "a rebase"),
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
];

/// Lock files that git leaves if it is killed while it moves a branch.
const LOCKS: [&str; 3] = ["index.lock", "HEAD.lock", "ORIG_HEAD.lock"];

/// The commits of the branch before and after the move.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BranchMove {
    before: String,
    after: String,
}

/// Commits `series` to `tree`.
pub fn make(
    tree: &GitTree,
    lock: &TreeLock,
    series: &Series,
    progress: Progress,
) -> Result<Applied> {
    let journal = git_path(tree, "bpf-streams-apply")?;
    undo_interrupted(tree, &journal, progress)?;
    ensure_idle(tree)?;
    let before = tree.run(["rev-parse", "HEAD"])?;
    let commits = match try_series(tree, &before, series, Committer::User, tree.dir())? {
        Trial::Already => return Ok(Applied::Already),
        Trial::Commits(commits) => commits,
    };
    let Some(after) = commits.last() else {
        return Ok(Applied::Commits(0));
    };
    let step = BranchMove {
        before,
        after: after.clone(),
    };
    step.ensure_possible(tree)?;
    write(&journal, &step)?;
    crash_point();
    if let Err(error) = lock.with_children(|| step.carry_out(tree)) {
        step.undo(tree).with_context(|| {
            format!(
                "{error:#}; undoing that failed as well: fix the cause and run `make apply` again, \
                 which first undoes it"
            )
        })?;
        remove(&journal)?;
        return Err(error.context(format!(
            "cannot change {}; it was reset to {}",
            tree.dir().display(),
            step.before
        )));
    }
    crash_point();
    remove(&journal)?;
    Ok(Applied::Commits(commits.len()))
}

/// Fails if the tree has changes or is in the middle of a git command.
fn ensure_idle(tree: &GitTree) -> Result<()> {
    let dir = tree.dir().display();
    let changes = tree.changes()?;
    ensure!(
        changes.is_empty(),
        "{dir} has changes that are not committed; commit or stash them first:\n{changes}"
    );
    for (name, what) in IN_PROGRESS {
        ensure!(
            !git_path(tree, name)?.exists(),
            "{dir} is in the middle of {what}; finish or abort that first"
        );
    }
    Ok(())
}

/// Undoes the changes of a run that was killed.
fn undo_interrupted(tree: &GitTree, journal: &Path, progress: Progress) -> Result<()> {
    let text = match fs::read(journal) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let step: BranchMove = serde_json::from_slice(&text).with_context(|| {
        format!(
            "{} is not a journal of `make apply`; check `git status`, and remove that file",
            journal.display()
        )
    })?;
    remove_locks(tree)?;
    let (dir, head) = (tree.dir().display(), tree.run(["rev-parse", "HEAD"])?);
    progress.note(if head == step.before {
        step.undo(tree)?;
        format!("an earlier `make apply` was interrupted in {dir}; reset it to {head}")
    } else if head == step.after {
        format!("an earlier `make apply` was interrupted in {dir} after its last commit")
    } else {
        // the user has moved HEAD since; do not change the files
        format!("an earlier `make apply` was interrupted in {dir}, and HEAD was moved since")
    });
    remove(journal)
}

impl BranchMove {
    /// Fails if git would fail after it has changed some files.
    fn ensure_possible(&self, tree: &GitTree) -> Result<()> {
        let changed = self.changed(tree, "--diff-filter=ADMT")?;
        let names: Vec<&str> = changed.iter().map(String::as_str).collect();
        writable::check(tree.dir(), &names)?;
        for name in self.changed(tree, "--diff-filter=A")? {
            ensure!(
                fs::symlink_metadata(tree.dir().join(&name)).is_err(),
                "{} exists and is not under git, and the series adds a file of that name; nothing was \
                 changed: move your file away first",
                tree.dir().join(&name).display()
            );
        }
        Ok(())
    }

    fn carry_out(&self, tree: &GitTree) -> Result<()> {
        let merge = ["merge", "--quiet", "--ff-only", "--no-verify-signatures"];
        // git's file system monitor would inherit the lock and keep it
        let cmd = tree.git(["-c", "core.fsmonitor=false"]).args(merge);
        let cmd = cmd.args(["--no-autostash", &self.after]);
        command::output(cmd.env("GIT_REFLOG_ACTION", "make apply")).map(drop)
    }

    /// Restores files and index. Fails before the first change if the user has changed a file.
    fn undo(&self, tree: &GitTree) -> Result<()> {
        let added = self.changed(tree, "--diff-filter=A")?;
        let others = self.changed(tree, "--diff-filter=DMT")?;
        for name in added.iter().chain(&others) {
            self.ensure_unmodified(tree, name)?;
        }
        let forget = ["rm", "--quiet", "--cached", "--force", "--ignore-unmatch"];
        on_paths(tree, forget, &added)?;
        for name in &added {
            remove(&tree.dir().join(name))?;
        }
        on_paths(
            tree,
            ["checkout", "--quiet", "--force", &self.before],
            &others,
        )
    }

    /// Fails if the user has changed `name`. A killed git leaves the old contents, a beginning of the new
    /// contents, or no file.
    fn ensure_unmodified(&self, tree: &GitTree, name: &str) -> Result<()> {
        let path = tree.dir().join(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let before = blob(tree, &self.before, name)?;
        let after = blob(tree, &self.after, name)?;
        if before.is_some_and(|before| before == text)
            || after.is_some_and(|after| after.starts_with(&text))
        {
            return Ok(());
        }
        bail!(
            "{} was changed after an interrupted `make apply`, so that undoing it would lose your \
             changes; copy your file, run `git reset --hard {}`, and run `make apply` again",
            path.display(),
            self.before
        )
    }

    /// The files that differ between before and after; `filter` is `--diff-filter`.
    fn changed(&self, tree: &GitTree, filter: &str) -> Result<BTreeSet<String>> {
        let diff = ["diff", "--name-only", "--no-renames", "-z", filter];
        let names = command::output(tree.git(diff).args([&self.before, &self.after]))?;
        let names = names.split('\0').filter(|name| !name.is_empty());
        Ok(names.map(str::to_owned).collect())
    }
}

/// Runs a git command on `names`, unless there are none.
fn on_paths<const N: usize>(
    tree: &GitTree,
    cmd: [&str; N],
    names: &BTreeSet<String>,
) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let cmd = tree.git(cmd).env("GIT_LITERAL_PATHSPECS", "1").arg("--");
    command::output(cmd.args(names)).map(drop)
}

/// The contents of `name` in `commit`; `None` if it does not exist.
fn blob(tree: &GitTree, commit: &str, name: &str) -> Result<Option<Vec<u8>>> {
    let out = capture(tree.git(["cat-file", "blob", &format!("{commit}:{name}")]))?;
    Ok(out.status.success().then_some(out.stdout))
}

/// Removes the lock files of a killed git. This run holds the lock of the tree, and the journal shows
/// that the git of an earlier run was killed.
fn remove_locks(tree: &GitTree) -> Result<()> {
    let branch = capture(tree.git(["symbolic-ref", "--quiet", "HEAD"]))?;
    let branch = String::from_utf8_lossy(&branch.stdout).trim().to_owned();
    let of_branch = (!branch.is_empty()).then(|| format!("{branch}.lock"));
    let names = LOCKS.iter().map(|&name| name.to_owned()).chain(of_branch);
    for name in names {
        remove(&git_path(tree, &name)?)?;
    }
    Ok(())
}

/// A path in the git folder of this work tree.
fn git_path(tree: &GitTree, name: &str) -> Result<PathBuf> {
    let path = tree.run(["rev-parse", "--git-path", name])?;
    Ok(tree.dir().join(path))
}

fn write(path: &Path, step: &BranchMove) -> Result<()> {
    atomic::write_synced(path, serde_json::to_vec_pretty(step)?)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
