// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs that are killed around the step that changes a git tree, and trees that the user has changed.

use super::super::crash_point::run_until;
use super::*;
use crate::queue::gittree::tests::{patch, series as written};

/// A git tree of two files, and a series that changes one and adds one.
struct GitFixture {
    root: tempfile::TempDir,
    tree: GitTree,
    series: Series,
}

fn git_fixture() -> GitFixture {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("tree");
    fs::create_dir_all(&dir).unwrap();
    for name in ["a.c", "b.c"] {
        fs::write(dir.join(name), "head\none\ntail\n").unwrap();
    }
    let tree = GitTree::import(&dir, "linux").unwrap();
    let add = patch("new.c", "", "")
        .replace("--- a/new.c", "new file mode 100644\n--- /dev/null")
        .replace(
            "@@ -1,3 +1,3 @@\n head\n-\n+\n tail\n",
            "@@ -0,0 +1 @@\n+new\n",
        );
    let patches = [patch("a.c", "one", "two"), add];
    let series = written(&root.path().join("patches"), &patches);
    GitFixture { root, tree, series }
}

impl GitFixture {
    fn apply(&self) -> Result<Applied> {
        let lock = TreeLock::take(self.tree.dir(), Progress::Silent)?;
        make(&self.tree, &lock, &self.series, Progress::Silent)
    }

    fn head(&self) -> String {
        self.tree.run(["rev-parse", "HEAD"]).unwrap()
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.tree.dir().join(name)).ok()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.tree.dir().join(name), text).unwrap();
    }

    /// Ends a run after it wrote the journal, before git moves the branch.
    fn crash(&self) {
        assert!(run_until(0, || self.apply()).is_none());
        assert!(self.tree.dir().join(".git/bpf-streams-apply").exists());
    }

    /// Asserts that the tree has the series and no other change.
    fn assert_applied(&self) {
        assert_eq!(self.text("a.c").as_deref(), Some("head\ntwo\ntail\n"));
        assert_eq!(self.text("new.c").as_deref(), Some("new\n"));
        let status = ["status", "--porcelain"];
        assert_eq!(self.tree.run(status).unwrap(), "");
        assert_eq!(self.tree.run(["rev-list", "--count", "HEAD"]).unwrap(), "3");
        assert!(!self.tree.dir().join(".git/bpf-streams-apply").exists());
    }

    fn assert_refused(&self, expected: &str) {
        let error = format!("{:#}", self.apply().unwrap_err());
        assert!(error.contains(expected), "`{expected}` is not in: {error}");
    }
}

#[test]
fn changes_of_a_killed_git_are_undone_first() {
    for (a, new) in [
        ("head\none\ntail\n", None),
        ("head\ntwo\ntail\n", None),
        ("head\nt", None),
        ("head\ntwo\ntail\n", Some("")),
        ("head\ntwo\ntail\n", Some("new\n")),
    ] {
        let fake = git_fixture();
        fake.crash();
        fake.write("a.c", a);
        if let Some(text) = new {
            fake.write("new.c", text);
        }
        fake.write(".git/index.lock", "");
        assert_eq!(fake.apply().unwrap(), Applied::Commits(2));
        fake.assert_applied();
    }
}

#[test]
fn a_run_killed_after_the_move_has_applied_the_series() {
    let fake = git_fixture();
    assert!(run_until(1, || fake.apply()).is_none());
    assert_eq!(fake.apply().unwrap(), Applied::Already);
    fake.assert_applied();
}

#[test]
fn files_that_the_user_changed_are_kept() {
    let fake = git_fixture();
    fake.crash();
    fake.write("a.c", "mine\n");
    fake.assert_refused("a.c was changed after an interrupted `make apply`");
    assert_eq!(fake.text("a.c").as_deref(), Some("mine\n"));
    // a file outside of the series
    fake.write("a.c", "head\none\ntail\n");
    fake.write("b.c", "mine\n");
    fake.assert_refused("changes that are not committed");
    assert_eq!(fake.text("b.c").as_deref(), Some("mine\n"));
}

#[test]
fn a_branch_that_the_user_moved_is_not_reset() {
    let fake = git_fixture();
    fake.crash();
    fake.write("b.c", "mine\n");
    let commit = ["commit", "--quiet", "--all", "--message", "mine"];
    command::output(fake.tree.git_as_user(commit).unwrap()).unwrap();
    assert_eq!(fake.apply().unwrap(), Applied::Commits(2));
    assert_eq!(fake.text("b.c").as_deref(), Some("mine\n"));
}

#[test]
fn a_patch_that_does_not_apply_changes_nothing() {
    let mut fake = git_fixture();
    let patches = [patch("a.c", "one", "two"), patch("b.c", "zero", "two")];
    fake.series = written(&fake.root.path().join("patches"), &patches);
    let head = fake.head();
    fake.assert_refused("0002-p.patch does not apply");
    assert_eq!(fake.head(), head);
    assert!(!fake.tree.dir().join(".git/bpf-streams-apply").exists());
}

#[test]
fn a_file_that_git_cannot_write_is_an_error_before_any_change() {
    let fake = git_fixture();
    let head = fake.head();
    fake.write("new.c", "not under git\n");
    fake.assert_refused("new.c exists and is not under git");
    assert_eq!(fake.text("new.c").as_deref(), Some("not under git\n"));
    assert_eq!(
        (fake.head(), fake.tree.changes().unwrap()),
        (head, String::new())
    );
}

#[test]
fn a_tree_in_the_middle_of_a_git_command_is_refused() {
    for (name, expected) in [
        ("rebase-apply", "a `git am` or a rebase"),
        ("MERGE_HEAD", "a merge"),
        ("index.lock", "another git command"),
    ] {
        let fake = git_fixture();
        fake.write(&format!(".git/{name}"), "");
        fake.assert_refused(expected);
    }
}
