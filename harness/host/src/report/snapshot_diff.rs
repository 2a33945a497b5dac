// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The snapshots that a branch changes, before and after, for its review.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use askama::Template;
use fs_err as fs;

use crate::env::command::{command, output, shell_in};
use crate::env::diff;
use crate::env::markdown::{code, fence};
use crate::judge::snapshot::text_of;

/// The folder of the snapshots in a clone.
const FOLDER: &str = "harness/host/tests/snapshots";

/// More context lines than any snapshot has.
const ALL: usize = 1 << 20;

/// The change of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotChange {
    /// `<file>__<program>`, with `@<variant>` where it is a variant.
    pub name: String,
    /// The old text; none where the snapshot is new.
    pub before: Option<String>,
    /// The new text; none where the snapshot was removed.
    pub after: Option<String>,
}

/// The snapshots of the clone `repo` whose text differs from that in the merge base with `since`,
/// uncommitted changes included.
///
/// # Errors
///
/// Where git fails, for example because `since` is not a commit.
pub fn since(repo: &Path, since: &str) -> Result<Vec<SnapshotChange>> {
    let fork = git(repo, &["merge-base", since, "HEAD"]).with_context(|| {
        format!(
            "cannot find where this branch left `{since}` (SINCE=); it must be a commit that is \
             here: in a shallow clone, `git fetch --unshallow` brings it"
        )
    })?;
    let changed = git(
        repo,
        &[
            "diff",
            "--name-only",
            "--no-renames",
            "-z",
            &fork,
            "--",
            FOLDER,
        ],
    )?;
    let new = git(
        repo,
        &[
            "ls-files",
            "--others",
            "--exclude-standard",
            "-z",
            "--",
            FOLDER,
        ],
    )?;
    let paths: BTreeSet<&str> = changed
        .split('\0')
        .chain(new.split('\0'))
        .filter(|path| path.ends_with(".snap"))
        .collect();
    let mut changes = Vec::new();
    for path in paths {
        changes.extend(change(repo, &fork, path)?);
    }
    Ok(changes)
}

/// The change of one file; none where only the metadata differs.
fn change(repo: &Path, fork: &str, path: &str) -> Result<Option<SnapshotChange>> {
    let listed = git(repo, &["ls-tree", "--name-only", fork, "--", path])?;
    let before = match listed.is_empty() {
        true => None,
        false => Some(git(repo, &["show", &format!("{fork}:{path}")])?),
    };
    let file = repo.join(path);
    let after = match fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let [before, after] =
        [before, after].map(|file| file.map(|file| text_of(&file).unwrap_or(&file).to_owned()));
    Ok((before != after).then(|| SnapshotChange {
        name: test_name(path),
        before,
        after,
    }))
}

/// `<file>__<program>[@<variant>]` of the snapshot at `path`.
fn test_name(path: &str) -> String {
    let name = path.strip_prefix(FOLDER).unwrap_or(path);
    name.trim_start_matches('/')
        .trim_end_matches(".snap")
        .replacen('/', "__", 1)
}

fn git(repo: &Path, arguments: &[&str]) -> Result<String> {
    let sh = shell_in(repo)?;
    output(command(&sh, "git").args(arguments))
}

/// The changes, in Markdown.
///
/// # Errors
///
/// Where the template cannot be rendered.
pub fn render(changes: &[SnapshotChange]) -> Result<String> {
    let page = ChangedPage { changes };
    page.render().context("cannot write the changed snapshots")
}

/// `templates/changed.md`.
#[derive(Template)]
#[template(path = "changed.md", escape = "none")]
struct ChangedPage<'a> {
    changes: &'a [SnapshotChange],
}

impl SnapshotChange {
    fn verb(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "new",
            (_, None) => "removed",
            _ => "changed",
        }
    }

    /// The text, or the difference of both texts with every line: snapshots are short and read as a
    /// whole.
    fn text(&self) -> String {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                let lines = diff::lines(before, after, ALL);
                fence("diff", &diff::text(&lines))
            }
            (Some(text), None) | (None, Some(text)) => fence("", text),
            (None, None) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clone with a changed snapshot, a removed one, one with changed metadata only, and a new
    /// uncommitted one.
    fn clone() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let repo = dir.path();
        let snapshots = repo.join(FOLDER);
        let write = |name: &str, source: &str, text: &str| {
            let text = format!("---\nsource: {source}\n---\n{text}\n");
            let path = snapshots.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let commit = |message: &str| {
            git(repo, &["add", "-A"]).unwrap();
            let who = ["-c", "user.name=n", "-c", "user.email=n@example.org"];
            let what = ["commit", "-q", "-m", message];
            git(repo, &[&who[..], &what[..]].concat()).unwrap();
        };
        git(repo, &["init", "-q", "-b", "main"]).unwrap();
        write("a/same.snap", "one", "returned: 0");
        write("a/changed.snap", "one", "returned: 0\n\nstdout:\n| old");
        write("a/removed.snap", "one", "returned: 1");
        commit("before");
        git(repo, &["checkout", "-q", "-b", "branch"]).unwrap();
        write("a/same.snap", "two", "returned: 0");
        write("a/changed.snap", "one", "returned: 0\n\nstdout:\n| new");
        fs::remove_file(snapshots.join("a/removed.snap")).unwrap();
        commit("after");
        write("b/new@arm64.snap", "one", "returned: 2\n```\n# no heading");
        dir
    }

    #[test]
    fn changes_of_a_branch_are_shown_before_and_after() {
        let dir = clone();
        let changes = since(dir.path(), "main").unwrap();
        let names: Vec<(&str, &str)> = changes
            .iter()
            .map(|change| (change.name.as_str(), change.verb()))
            .collect();
        assert_eq!(
            names,
            [
                ("a__changed", "changed"),
                ("a__removed", "removed"),
                ("b__new@arm64", "new")
            ]
        );
        let text = render(&changes).unwrap();
        for want in [
            "# 3 changed snapshots\n",
            "## `a__changed`: changed\n\n```diff\n returned: 0\n \n stdout:\n-| old\n+| new\n```\n",
            "## `a__removed`: removed\n\n```\nreturned: 1\n```\n",
            "## `b__new@arm64`: new\n\n````\nreturned: 2\n```\n# no heading\n````\n",
        ] {
            assert!(text.contains(want), "{want}\nis not in\n{text}");
        }
    }

    #[test]
    fn no_change_has_a_headline() {
        let dir = clone();
        git(dir.path(), &["clean", "-qfd"]).unwrap();
        let changes = since(dir.path(), "HEAD").unwrap();
        assert!(changes.is_empty(), "{changes:?}");
        assert_eq!(render(&changes).unwrap(), "# No snapshot changed\n");
    }

    #[test]
    fn an_unknown_commit_is_an_error_with_the_next_step() {
        let dir = clone();
        let said = since(dir.path(), "origin/none").unwrap_err().to_string();
        assert!(said.contains("`origin/none` (SINCE=)"), "{said}");
        assert!(said.contains("git fetch --unshallow"), "{said}");
    }
}
