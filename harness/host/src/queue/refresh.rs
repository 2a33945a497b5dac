// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Writes commits back as the patches of a series, with the smallest possible diff.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;

use crate::env::atomic;
use crate::env::command;
use crate::queue::gittree::GitTree;
use crate::queue::series::{COVER_LETTER, Listing, Patch, Series, number, patch_files};

/// What [`write_back`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefreshCounts {
    /// New and changed patches.
    pub written: usize,
    /// Removed patches.
    pub removed: usize,
    /// Unchanged patches.
    pub kept: usize,
}

/// File name and contents of a patch.
type Formatted = (String, Vec<u8>);

/// Writes the commits of `tree` after `base` as the series in `dir`. Keeps the cover letter and the
/// comments of the file `series`.
pub fn write_back(tree: &GitTree, base_name: &str, dir: &Path) -> Result<RefreshCounts> {
    let merges = tree.run(["rev-list", "--merges", "base..HEAD"])?;
    ensure!(
        merges.is_empty(),
        "{} has merges after `base`, which cannot be patches; rebase them:\n{merges}",
        tree.dir().display()
    );
    let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
    let formatted = format(tree, base_name, scratch.path())?;
    let changes = write(dir, &formatted)?;
    number_cover_letter(dir, base_name, formatted.len())?;
    Ok(changes)
}

/// The commits as patches, without anything that depends on the machine or changes with an earlier
/// patch: commit ids, git's version, short hashes. Only the numbers in subjects remain: a series
/// needs them to be sent.
fn format(tree: &GitTree, base_name: &str, scratch: &Path) -> Result<Vec<Formatted>> {
    let prefix = format!("--subject-prefix=PATCH {base_name}");
    command::output(
        tree.git([
            "-c",
            "format.pretty=email",
            "-c",
            "diff.algorithm=default",
            "format-patch",
            "--quiet",
            "--zero-commit",
            "--no-signature",
            "--numbered",
            "--no-cover-letter",
            "--no-thread",
            "--abbrev=12",
            &prefix,
            "base..HEAD",
            "--output-directory",
        ])
        .arg(scratch),
    )?;
    patch_files(scratch)?
        .into_iter()
        .map(|name| {
            let text = fs::read(scratch.join(&name))?;
            Ok((name, text))
        })
        .collect()
}

fn write(dir: &Path, formatted: &[Formatted]) -> Result<RefreshCounts> {
    let old = Series::load(dir)?;
    let unchanged: HashMap<Vec<u8>, &Patch> = old
        .patches
        .iter()
        .map(|patch| (essence(&patch.text), patch))
        .collect();
    let mut changes = RefreshCounts::default();
    let mut names = Vec::new();
    for (name, text) in formatted {
        let same = unchanged.get(&essence(text));
        let text = same.map_or(text, |patch| &patch.text);
        if same.is_some_and(|patch| patch.name == *name) {
            changes.kept += 1;
        } else {
            atomic::write(&dir.join(name), text)?;
            changes.written += 1;
        }
        names.push(name.clone());
    }
    for name in patch_files(dir)? {
        if !names.contains(&name) {
            let path = dir.join(&name);
            fs::remove_file(&path)?;
            changes.removed += 1;
        }
    }
    let listing = dir.join("series");
    let text = fs::read_to_string(&listing)?;
    let new = Listing::parse(&text)?.with_names(&names).text();
    if new != text {
        atomic::write(&listing, new)?;
    }
    Ok(changes)
}

/// Updates the number of patches in the subject of the cover letter; its text is written by hand.
fn number_cover_letter(dir: &Path, base_name: &str, count: usize) -> Result<()> {
    let path = dir.join(COVER_LETTER);
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(());
    };
    let subject = format!("Subject: [PATCH {base_name} ");
    let numbered = text
        .split_once(&subject)
        .and_then(|(before, rest)| Some((before, rest.split_once(']')?.1)))
        .map(|(before, after)| format!("{before}{subject}{}]{after}", number(0, count)));
    match numbered {
        Some(new) if new != text => atomic::write(&path, new),
        _ => Ok(()),
    }
}

/// The parts of a patch that matter: without the hashes of files, which change with earlier patches and
/// which git does not need.
fn essence(patch: &[u8]) -> Vec<u8> {
    patch
        .split_inclusive(|&byte| byte == b'\n')
        .filter(|line| !line.starts_with(b"index ") && !line.starts_with(b"From 000000"))
        .flatten()
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::gittree::tests::{patch, series};

    struct TestSeries {
        _root: tempfile::TempDir,
        tree: GitTree,
        dir: std::path::PathBuf,
    }

    /// A tree with the commits of three patches, as after `make tree`.
    fn test_series() -> TestSeries {
        let root = tempfile::tempdir().unwrap();
        let files = root.path().join("tree");
        fs::create_dir(&files).unwrap();
        for file in ["a.c", "b.c"] {
            fs::write(files.join(file), "head\none\ntail\n").unwrap();
        }
        let tree = GitTree::import(&files, "base").unwrap();
        let dir = root.path().join("patches");
        let patches = [
            patch("a.c", "one", "two"),
            patch("a.c", "two", "three"),
            patch("b.c", "one", "four"),
        ];
        let made = series(&dir, &patches);
        let last = tree.commits(&made).unwrap().pop().unwrap();
        tree.check_out(&last).unwrap();
        fs::write(dir.join(COVER_LETTER), "Subject: [PATCH v6.12 0/9] x\n").unwrap();
        let place = TestSeries {
            _root: root,
            tree,
            dir,
        };
        // with the names and diffs of git, in two groups
        place.write_back();
        let names: Vec<String> = patch_files(&place.dir).unwrap().into_iter().collect();
        let text = format!("# one\n{}\n\n# two\n{}\n{}\n", names[0], names[1], names[2]);
        fs::write(place.dir.join("series"), text).unwrap();
        place
    }

    impl TestSeries {
        fn write_back(&self) -> RefreshCounts {
            write_back(&self.tree, "v6.12", &self.dir).unwrap()
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.dir.join(name)).unwrap()
        }

        fn commit(&self, file: &str, text: &str, args: [&str; 3]) {
            fs::write(self.tree.dir().join(file), text).unwrap();
            let commit = self
                .tree
                .git_as_user(["commit", "--quiet", "--all"])
                .unwrap();
            command::output(
                commit
                    .args(args)
                    .env("GIT_AUTHOR_NAME", "u")
                    .env("GIT_AUTHOR_EMAIL", "u"),
            )
            .unwrap();
        }
    }

    #[test]
    fn without_changes_nothing_is_written() {
        let place = test_series();
        let before = place.read("series");
        let changes = place.write_back();
        assert_eq!((changes.kept, changes.written, changes.removed), (3, 0, 0));
        assert_eq!(place.read("series"), before);
        assert_eq!(place.read(COVER_LETTER), "Subject: [PATCH v6.12 0/3] x\n");
    }

    #[test]
    fn only_the_changed_patch_is_written() {
        let place = test_series();
        place.commit("b.c", "head\nfive\ntail\n", ["--amend", "--no-edit", "-q"]);
        let changes = place.write_back();
        assert_eq!((changes.kept, changes.written, changes.removed), (2, 1, 0));
        assert!(
            place
                .read("0003-bpf-Make-one-four.patch")
                .contains("\n+five\n")
        );
    }

    #[test]
    fn a_new_patch_joins_the_last_group() {
        let place = test_series();
        place.commit(
            "a.c",
            "head\nsix\ntail\n",
            ["--signoff", "-m", "bpf: Make six"],
        );
        let changes = place.write_back();
        // the subjects of the other patches contain the total
        assert_eq!((changes.kept, changes.written), (0, 4));
        assert_eq!(place.read(COVER_LETTER), "Subject: [PATCH v6.12 0/4] x\n");
        let text = place.read("series");
        assert!(
            text.ends_with("0003-bpf-Make-one-four.patch\n0004-bpf-Make-six.patch\n"),
            "{text}"
        );
        let patch = place.read("0004-bpf-Make-six.patch");
        assert!(
            patch.contains("Subject: [PATCH v6.12 4/4] bpf: Make six\n"),
            "{patch}"
        );
    }

    #[test]
    fn the_patch_of_a_dropped_commit_is_removed() {
        let place = test_series();
        place
            .tree
            .run(["reset", "--quiet", "--hard", "HEAD~1"])
            .unwrap();
        let changes = place.write_back();
        assert_eq!((changes.kept, changes.written, changes.removed), (0, 2, 1));
        assert!(!place.read("series").contains("0003"));
    }

    #[test]
    fn the_written_patches_have_the_same_result() {
        let place = test_series();
        let series = Series::load(&place.dir).unwrap();
        let last = place.tree.commits(&series).unwrap().pop().unwrap();
        let differ = place.tree.run(["diff", "--stat", "HEAD", &last]).unwrap();
        assert_eq!(differ, "");
    }
}
