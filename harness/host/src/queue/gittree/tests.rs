// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Small trees, with the machine's git.

use std::time::SystemTime;

use super::*;

/// A patch that replaces the line `from` of `file` by `to`.
pub fn patch(file: &str, from: &str, to: &str) -> String {
    format!(
        "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n\
         From: A Uthor <a@uthor.example>\n\
         Date: Sat, 21 Nov 2026 02:52:32 +0000\n\
         Subject: [PATCH v6.12] bpf: Make {from} {to}\n\n\
         Because.\n\n\
         Signed-off-by: A Uthor <a@uthor.example>\n---\n {file} | 2 +-\n\n\
         diff --git a/{file} b/{file}\n--- a/{file}\n+++ b/{file}\n\
         @@ -1,3 +1,3 @@\n head\n-{from}\n+{to}\n tail\n"
    )
}

/// A series of these patches in `dir`.
pub fn series(dir: &Path, patches: &[String]) -> Series {
    fs::create_dir_all(dir).unwrap();
    for old in crate::queue::series::patch_files(dir).unwrap() {
        fs::remove_file(dir.join(old)).unwrap();
    }
    let mut list = String::new();
    for (at, patch) in patches.iter().enumerate() {
        let name = format!("{:04}-p.patch", at + 1);
        fs::write(dir.join(&name), patch).unwrap();
        list.push_str(&format!("{name}\n"));
    }
    fs::write(dir.join("series"), list).unwrap();
    Series::load(dir).unwrap()
}

struct TestTree {
    root: tempfile::TempDir,
    tree: GitTree,
}

fn test_tree() -> TestTree {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("tree");
    fs::create_dir(&dir).unwrap();
    for file in ["a.c", "b.c", "c.c"] {
        fs::write(dir.join(file), "head\none\ntail\n").unwrap();
    }
    fs::write(dir.join(".gitignore"), ".*\n").unwrap();
    let tree = GitTree::import(&dir, "linux 6.12.117").unwrap();
    TestTree { root, tree }
}

impl TestTree {
    fn series(&self, patches: &[String]) -> Series {
        series(&self.root.path().join("patches"), patches)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.tree.dir().join(file)).unwrap()
    }

    fn changed_at(&self, file: &str) -> SystemTime {
        let meta = fs::metadata(self.tree.dir().join(file)).unwrap();
        meta.modified().unwrap()
    }

    fn check_out(&self, series: &Series) {
        let commits = self.tree.commits(series).unwrap();
        let last = commits.last().map_or("base", String::as_str);
        self.tree.check_out(last).unwrap();
    }
}

#[test]
fn a_series_becomes_commits_with_author_and_message() {
    let place = test_tree();
    let series = place.series(&[patch("a.c", "one", "two"), patch("a.c", "two", "three")]);
    let commits = place.tree.commits(&series).unwrap();
    assert_eq!(commits.len(), 2);
    let show = [
        "show",
        "--no-patch",
        "--date=raw",
        "--format=%an %ae %ad%n%B",
        &commits[0],
    ];
    assert_eq!(
        place.tree.run(show).unwrap(),
        "A Uthor a@uthor.example 1795229552 +0000\nbpf: Make one two\n\nBecause.\n\n\
         Signed-off-by: A Uthor <a@uthor.example>"
    );
    // nothing was checked out yet
    assert_eq!(place.read("a.c"), "head\none\ntail\n");
    place.tree.check_out(&commits[1]).unwrap();
    assert_eq!(place.read("a.c"), "head\nthree\ntail\n");
}

#[test]
fn the_same_series_gives_the_same_commits_in_every_tree() {
    let (one, other) = (test_tree(), test_tree());
    let patches = [patch("a.c", "one", "two")];
    let commits = one.tree.commits(&one.series(&patches)).unwrap();
    assert_eq!(commits, one.tree.commits(&one.series(&patches)).unwrap());
    assert_eq!(
        commits,
        other.tree.commits(&other.series(&patches)).unwrap()
    );
}

#[test]
fn a_changed_tail_is_applied_on_what_is_known() {
    let place = test_tree();
    let first = patch("a.c", "one", "two");
    let old = place.series(&[first.clone(), patch("a.c", "two", "three")]);
    let old = place.tree.commits(&old).unwrap();
    let new = place.series(&[
        first,
        patch("a.c", "two", "four"),
        patch("b.c", "one", "two"),
    ]);
    let new = place.tree.commits(&new).unwrap();
    assert_eq!(old[0], new[0]);
    place.tree.check_out(&new[2]).unwrap();
    assert_eq!(place.read("a.c"), "head\nfour\ntail\n");
    assert_eq!(place.read("b.c"), "head\ntwo\ntail\n");
}

#[test]
fn files_that_no_patch_changed_keep_their_times() {
    let place = test_tree();
    let a = patch("a.c", "one", "two");
    place.check_out(&place.series(&[a.clone(), patch("b.c", "one", "two")]));
    let before = ["a.c", "b.c", "c.c"].map(|file| place.changed_at(file));
    place.check_out(&place.series(&[a, patch("b.c", "one", "three")]));
    let after = ["a.c", "b.c", "c.c"].map(|file| place.changed_at(file));
    assert_eq!((before[0], before[2]), (after[0], after[2]));
    assert_ne!(before[1], after[1]);
    place.check_out(&place.series(&[]));
    assert_eq!(place.read("b.c"), "head\none\ntail\n");
}

#[test]
fn a_checkout_repairs_the_tree_of_an_interrupted_run() {
    let place = test_tree();
    fs::write(place.tree.dir().join(".git/index.lock"), "").unwrap();
    fs::write(place.tree.dir().join("c.c"), "half").unwrap();
    fs::write(place.tree.dir().join("new.c"), "of another series").unwrap();
    fs::create_dir(place.tree.dir().join(".build-x86_64")).unwrap();
    place.check_out(&place.series(&[patch("a.c", "one", "two")]));
    assert_eq!(place.read("c.c"), "head\none\ntail\n");
    assert!(!place.tree.dir().join("new.c").exists());
    assert!(place.tree.dir().join(".build-x86_64").exists());
}

#[test]
fn the_error_of_a_patch_names_file_and_line() {
    let place = test_tree();
    let series = place.series(&[patch("a.c", "one", "two"), patch("b.c", "zero", "two")]);
    let error = place.tree.commits(&series).unwrap_err().to_string();
    assert!(error.contains("0002-p.patch does not apply"), "{error}");
    assert!(error.contains("patch failed: b.c:1"), "{error}");
}

#[test]
fn a_patch_with_fuzz_does_not_apply() {
    let place = test_tree();
    let fuzzy = patch("a.c", "one", "two").replace(" tail", " other tail");
    let error = place.tree.commits(&place.series(&[fuzzy])).unwrap_err();
    assert!(error.to_string().contains("does not apply"), "{error}");
}

#[test]
fn a_file_that_is_not_a_patch_is_an_error() {
    let place = test_tree();
    let error = place
        .tree
        .commits(&place.series(&["hello\n".into()]))
        .unwrap_err();
    assert!(error.to_string().contains("0001-p.patch"), "{error}");
}

#[test]
fn a_series_applies_to_an_imported_folder() {
    let place = test_tree();
    let point = place.root.path().join("point");
    fs::create_dir(&point).unwrap();
    fs::write(point.join("a.c"), "head\none\ntail\nmore\n").unwrap();
    place
        .tree
        .import_folder(&point, "refs/points/6.12.95")
        .unwrap();
    let files = ["ls-tree", "--name-only", "refs/points/6.12.95"];
    assert_eq!(place.tree.run(files).unwrap(), "a.c");
    // the work files of the tree are unchanged
    assert_eq!(place.tree.changes().unwrap(), "");
    assert!(!point.join(".git").exists());

    let series = place.series(&[patch("a.c", "one", "two")]);
    let commits = place
        .tree
        .commits_on("refs/points/6.12.95", &series)
        .unwrap();
    let text = place.tree.run(["show", &format!("{}:a.c", commits[0])]);
    assert_eq!(text.unwrap(), "head\ntwo\ntail\nmore");
    let series = place.series(&[patch("b.c", "one", "two")]);
    let error = place.tree.commits_on("refs/points/6.12.95", &series);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("0001-p.patch does not apply")
    );
}
