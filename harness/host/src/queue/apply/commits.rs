// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Git trees: the series becomes commits next to the branch, which is then moved to the last one in
//! one step of git's. Around that step a journal in the git folder names the commits before and
//! after it.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{Applied, Fit, TreeLock, fault, fit, writable};
use crate::env::command::{self, capture};
use crate::env::progress::Progress;
use crate::queue::gittree::{Committer, GitTree};
use crate::queue::series::Series;

/// Files and folders of git's that say that a command of the user's is not at its end.
const UNDER_WAY: [(&str, &str); 6] = [
    ("index.lock", "another git command"),
    ("rebase-apply", "a `git am` or a rebase"),
    ("rebase-merge", "a rebase"),
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
];

/// What git leaves locked when it is killed while it moves a branch.
const LOCKS: [&str; 3] = ["index.lock", "HEAD.lock", "ORIG_HEAD.lock"];

/// Where the branch was and where it is moved to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    before: String,
    after: String,
}

/// Makes the commits.
pub fn make(
    tree: &GitTree,
    lock: &TreeLock,
    series: &Series,
    progress: Progress,
) -> Result<Applied> {
    let journal = git_path(tree, "bpf-streams-apply")?;
    take_back_interrupted(tree, &journal, progress)?;
    ensure_idle(tree)?;
    let before = tree.run(["rev-parse", "HEAD"])?;
    let commits = match fit(tree, &before, series, Committer::User, tree.dir())? {
        Fit::Already => return Ok(Applied::Already),
        Fit::Commits(commits) => commits,
    };
    let Some(after) = commits.last() else {
        return Ok(Applied::Commits(0));
    };
    let step = Move {
        before,
        after: after.clone(),
    };
    step.ensure_possible(tree)?;
    write(&journal, &step)?;
    fault::point();
    if let Err(error) = lock.with_children(|| step.carry_out(tree)) {
        step.take_back(tree).with_context(|| {
            format!(
                "{error:#}; going back failed, too: run `make apply` again when the cause is gone, \
                 it begins with that"
            )
        })?;
        remove(&journal)?;
        return Err(error.context(format!(
            "{} could not be changed, and is back at {}",
            tree.dir().display(),
            step.before
        )));
    }
    fault::point();
    remove(&journal)?;
    Ok(Applied::Commits(commits.len()))
}

/// Fails where the tree is not in a state that the series can be put onto.
fn ensure_idle(tree: &GitTree) -> Result<()> {
    let dir = tree.dir().display();
    let changes = tree.changes()?;
    ensure!(
        changes.is_empty(),
        "{dir} has changes that are not committed; commit or stash them first, so that nothing of \
         yours gets mixed with the series:\n{changes}"
    );
    for (name, what) in UNDER_WAY {
        ensure!(
            !git_path(tree, name)?.exists(),
            "{dir} is in the middle of {what}; end or abort that first"
        );
    }
    Ok(())
}

/// Goes back to where an earlier run began, where that run was killed on its way.
fn take_back_interrupted(tree: &GitTree, journal: &Path, progress: Progress) -> Result<()> {
    let text = match fs::read(journal) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", journal.display()));
        }
    };
    let step: Move = serde_json::from_slice(&text).with_context(|| {
        format!(
            "{} is no journal of `make apply`; see `git status`, and remove it",
            journal.display()
        )
    })?;
    remove_locks(tree)?;
    let (dir, head) = (tree.dir().display(), tree.run(["rev-parse", "HEAD"])?);
    progress.note(if head == step.before {
        step.take_back(tree)?;
        format!("an earlier `make apply` was interrupted in {dir}; it is back at {head}")
    } else if head == step.after {
        format!("an earlier `make apply` was interrupted in {dir} after its last commit")
    } else {
        // nothing is known of files that somebody else has moved since
        format!("an earlier `make apply` was interrupted in {dir}, and HEAD was moved since")
    });
    remove(journal)
}

impl Move {
    /// Fails where git would fail half-way: it removes and creates files.
    fn ensure_possible(&self, tree: &GitTree) -> Result<()> {
        let changed = self.changed(tree, "--diff-filter=ADMT")?;
        let names: Vec<&str> = changed.iter().map(String::as_str).collect();
        writable::check(tree.dir(), &names)?;
        for name in self.changed(tree, "--diff-filter=A")? {
            ensure!(
                fs::symlink_metadata(tree.dir().join(&name)).is_err(),
                "{} is there and not under git, and the series adds a file of that name; nothing \
                 was changed: move yours away first",
                tree.dir().join(&name).display()
            );
        }
        Ok(())
    }

    fn carry_out(&self, tree: &GitTree) -> Result<()> {
        let merge = ["merge", "--quiet", "--ff-only", "--no-verify-signatures"];
        // a daemon of git's would keep the lock that its parent has
        let cmd = tree.git(["-c", "core.fsmonitor=false"]).args(merge);
        let cmd = cmd.args(["--no-autostash", &self.after]);
        command::output(cmd.env("GIT_REFLOG_ACTION", "make apply")).map(drop)
    }

    /// Makes files and index what they were. Fails before the first one is touched where one was
    /// changed by somebody else.
    fn take_back(&self, tree: &GitTree) -> Result<()> {
        let added = self.changed(tree, "--diff-filter=A")?;
        let others = self.changed(tree, "--diff-filter=DMT")?;
        for name in added.iter().chain(&others) {
            self.ensure_ours(tree, name)?;
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

    /// git writes a file piece by piece: one of ours holds what it was, or the beginning of what it
    /// was to be, or is gone.
    fn ensure_ours(&self, tree: &GitTree, name: &str) -> Result<()> {
        let path = tree.dir().join(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let before = blob(tree, &self.before, name)?;
        let after = blob(tree, &self.after, name)?;
        if before.is_some_and(|before| before == text)
            || after.is_some_and(|after| after.starts_with(&text))
        {
            return Ok(());
        }
        bail!(
            "{} was changed after an interrupted `make apply`, so that its changes cannot be taken \
             back without losing yours; keep a copy of yours, `git reset --hard {}`, and run \
             `make apply` again",
            path.display(),
            self.before
        )
    }

    /// The files that differ between before and after in the way that `filter` says.
    fn changed(&self, tree: &GitTree, filter: &str) -> Result<BTreeSet<String>> {
        let diff = ["diff", "--name-only", "--no-renames", "-z", filter];
        let names = command::output(tree.git(diff).args([&self.before, &self.after]))?;
        let names = names.split('\0').filter(|name| !name.is_empty());
        Ok(names.map(str::to_owned).collect())
    }
}

/// Runs a git command on these files, if there are any.
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

/// What `name` holds in `commit`; none where it is not there.
fn blob(tree: &GitTree, commit: &str, name: &str) -> Result<Option<Vec<u8>>> {
    let out = capture(tree.git(["cat-file", "blob", &format!("{commit}:{name}")]))?;
    Ok(out.status.success().then_some(out.stdout))
}

/// Removes the locks that a killed git has left. The lock of this tree is ours, and its journal says
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

fn write(path: &Path, step: &Move) -> Result<()> {
    let new = path.with_extension("new");
    let text = serde_json::to_vec_pretty(step)?;
    fs::write(&new, text)
        .and_then(|()| fs::File::open(&new)?.sync_all())
        .and_then(|()| fs::rename(&new, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
