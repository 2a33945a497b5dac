// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs that are killed between two writes to a tree without git.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::crash_point::run_until;
use super::*;
use crate::queue::gittree::tests::{patch, series as written};

const FOLDER: &str = ".bpf-streams-apply";

/// A tree of two files, and a series that changes both and adds one in a new folder.
struct PlainFixture {
    root: tempfile::TempDir,
    series: Series,
}

fn plain_fixture() -> PlainFixture {
    let root = tempfile::tempdir().unwrap();
    let add = patch("kernel/new/c.c", "", "")
        .replace(
            "--- a/kernel/new/c.c",
            "new file mode 100644\n--- /dev/null",
        )
        .replace(
            "@@ -1,3 +1,3 @@\n head\n-\n+\n tail\n",
            "@@ -0,0 +1 @@\n+new\n",
        );
    let patches = [
        patch("kernel/a.c", "one", "two"),
        patch("kernel/b.c", "one", "two"),
        add,
    ];
    let series = written(&root.path().join("patches"), &patches);
    let fake = PlainFixture { root, series };
    for name in ["kernel/a.c", "kernel/b.c"] {
        fake.write(name, "head\none\ntail\n");
    }
    fake
}

impl PlainFixture {
    fn tree(&self) -> PathBuf {
        self.root.path().join("tree")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.tree().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn apply(&self) -> Result<Applied> {
        change(&self.tree(), &self.series, Progress::Silent)
    }

    /// Path and contents of every file in the tree, including journals.
    fn files(&self) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.tree()];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.insert(path.clone(), fs::read_to_string(path).unwrap());
                }
            }
        }
        files
    }
}

/// The files of the tree after the series.
fn applied() -> BTreeMap<PathBuf, String> {
    let fake = plain_fixture();
    assert_eq!(fake.apply().unwrap(), Applied::Files(3));
    relative(&fake)
}

fn relative(fake: &PlainFixture) -> BTreeMap<PathBuf, String> {
    let tree = fake.tree();
    let files = fake.files().into_iter();
    files
        .map(|(path, text)| (path.strip_prefix(&tree).unwrap().to_owned(), text))
        .collect()
}

#[test]
fn after_any_crash_the_next_run_applies_the_whole_series() {
    let whole = applied();
    let mut half_way = 0;
    for points in 0.. {
        let fake = plain_fixture();
        let before = relative(&fake);
        let crashed = run_until(points, || fake.apply()).is_none();
        if !crashed {
            assert!(points > 8, "only {points} crash points");
            break;
        }
        let mut left = relative(&fake);
        left.retain(|path, _| !path.to_string_lossy().starts_with(FOLDER));
        half_way += usize::from(left != before && left != whole);
        let done = fake.apply().unwrap();
        assert!(
            done == Applied::Files(3) || (left == whole && done == Applied::Already),
            "{done:?} after {points} points"
        );
        assert_eq!(relative(&fake), whole, "after {points} points");
    }
    assert!(half_way >= 2, "only {half_way} runs ended half-way");
}

#[test]
fn a_crash_during_undo_is_repaired_by_the_next_run() {
    let whole = applied();
    for points in 0..3 {
        let fake = plain_fixture();
        // all files are renamed, and the journal exists
        assert!((6..).any(|at| {
            let crashed = run_until(at, || fake.apply()).is_none();
            assert!(crashed, "no crash with a changed file");
            fake.tree().join("kernel/new/c.c").exists()
        }));
        let crashed = run_until(points, || fake.apply()).is_none();
        assert!(crashed);
        fake.apply().unwrap();
        assert_eq!(relative(&fake), whole);
    }
}

#[test]
fn a_file_that_the_user_changed_is_not_restored() {
    let fake = plain_fixture();
    let half_way = |fake: &PlainFixture| {
        let text = fs::read_to_string(fake.tree().join("kernel/a.c")).unwrap();
        text.contains("two")
    };
    assert!((0..).any(|at| run_until(at, || fake.apply()).is_none() && half_way(&fake)));
    fake.write("kernel/a.c", "mine\n");
    let before = fake.files();
    let error = format!("{:#}", fake.apply().unwrap_err());
    assert!(error.contains("kernel/a.c was changed after"), "{error}");
    assert!(error.contains(&format!("{FOLDER}/old")), "{error}");
    assert_eq!(fake.files(), before);
}

#[test]
fn a_failure_half_way_is_undone() {
    let fake = plain_fixture();
    let before = fake.files();
    let journal = Journal::begin(&fake.tree(), &fake.tree(), &["kernel/a.c", "kernel/b.c"]);
    // simulates an error of the disk
    fs::remove_file(fake.tree().join(FOLDER).join("new/kernel/b.c")).unwrap();
    let journal = journal.unwrap();
    let error = format!("{:#}", journal.carry_out().unwrap_err());
    assert!(error.contains("kernel/b.c"), "{error}");
    journal.undo().unwrap();
    assert_eq!(fake.files(), before);
}

#[test]
fn owner_mode_and_time_of_a_file_are_kept() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let fake = plain_fixture();
    let path = fake.tree().join("kernel/a.c");
    fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&path).unwrap();
    fake.apply().unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!((after.mode(), after.uid()), (before.mode(), before.uid()));
}
