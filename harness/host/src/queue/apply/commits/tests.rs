// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs that die around the one step that changes a git tree, and trees that others have changed.

use super::super::fault;
use super::*;
use crate::queue::gittree::tests::{patch, series as written};

/// A git tree of two files, and a series that changes one and adds one.
struct Fake {
    root: tempfile::TempDir,
    tree: GitTree,
    series: Series,
}

fn fake() -> Fake {
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
    Fake { root, tree, series }
}

impl Fake {
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

    /// Dies with the journal written, before git moves the branch.
    fn die(&self) {
        assert!(fault::run_until(0, || self.apply()).is_none());
        assert!(self.tree.dir().join(".git/bpf-streams-apply").exists());
    }

    /// The whole series is there, and nothing else.
    fn is_applied(&self) {
        assert_eq!(self.text("a.c").as_deref(), Some("head\ntwo\ntail\n"));
        assert_eq!(self.text("new.c").as_deref(), Some("new\n"));
        let status = ["status", "--porcelain"];
        assert_eq!(self.tree.run(status).unwrap(), "");
        assert_eq!(self.tree.run(["rev-list", "--count", "HEAD"]).unwrap(), "3");
        assert!(!self.tree.dir().join(".git/bpf-streams-apply").exists());
    }

    fn refused(&self, told: &str) {
        let error = format!("{:#}", self.apply().unwrap_err());
        assert!(error.contains(told), "`{told}` is not in: {error}");
    }
}

#[test]
fn what_a_killed_git_left_is_taken_back_first() {
    for (a, new) in [
        ("head\none\ntail\n", None),
        ("head\ntwo\ntail\n", None),
        ("head\nt", None),
        ("head\ntwo\ntail\n", Some("")),
        ("head\ntwo\ntail\n", Some("new\n")),
    ] {
        let fake = fake();
        fake.die();
        fake.write("a.c", a);
        if let Some(text) = new {
            fake.write("new.c", text);
        }
        fake.write(".git/index.lock", "");
        assert_eq!(fake.apply().unwrap(), Applied::Commits(2));
        fake.is_applied();
    }
}

#[test]
fn a_run_that_dies_after_its_last_commit_has_applied_the_series() {
    let fake = fake();
    assert!(fault::run_until(1, || fake.apply()).is_none());
    assert_eq!(fake.apply().unwrap(), Applied::Already);
    fake.is_applied();
}

#[test]
fn files_that_somebody_changed_since_are_kept() {
    let fake = fake();
    fake.die();
    fake.write("a.c", "mine\n");
    fake.refused("a.c was changed after an interrupted `make apply`");
    assert_eq!(fake.text("a.c").as_deref(), Some("mine\n"));
    // a file that is no part of the series is none of its business
    fake.write("a.c", "head\none\ntail\n");
    fake.write("b.c", "mine\n");
    fake.refused("changes that are not committed");
    assert_eq!(fake.text("b.c").as_deref(), Some("mine\n"));
}

#[test]
fn a_branch_that_was_moved_since_is_left_where_it_is() {
    let fake = fake();
    fake.die();
    fake.write("b.c", "mine\n");
    let commit = ["commit", "--quiet", "--all", "--message", "mine"];
    command::output(fake.tree.git_as_user(commit).unwrap()).unwrap();
    assert_eq!(fake.apply().unwrap(), Applied::Commits(2));
    assert_eq!(fake.text("b.c").as_deref(), Some("mine\n"));
}

#[test]
fn a_patch_that_does_not_fit_leaves_nothing_behind() {
    let mut fake = fake();
    let patches = [patch("a.c", "one", "two"), patch("b.c", "zero", "two")];
    fake.series = written(&fake.root.path().join("patches"), &patches);
    let head = fake.head();
    fake.refused("0002-p.patch does not apply");
    assert_eq!(fake.head(), head);
    assert!(!fake.tree.dir().join(".git/bpf-streams-apply").exists());
}

#[test]
fn what_git_could_not_write_is_told_before_anything_changes() {
    let fake = fake();
    let head = fake.head();
    fake.write("new.c", "not under git\n");
    fake.refused("new.c is there and not under git");
    assert_eq!(fake.text("new.c").as_deref(), Some("not under git\n"));
    assert_eq!(
        (fake.head(), fake.tree.changes().unwrap()),
        (head, String::new())
    );
}

#[test]
fn another_command_of_the_users_is_left_to_its_end() {
    for (name, told) in [
        ("rebase-apply", "a `git am` or a rebase"),
        ("MERGE_HEAD", "a merge"),
        ("index.lock", "another git command"),
    ] {
        let fake = fake();
        fake.write(&format!(".git/{name}"), "");
        fake.refused(told);
    }
}
