// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs that die between two writes to a tree without git.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::fault;
use super::*;
use crate::queue::gittree::tests::{patch, series as written};

const FOLDER: &str = ".bpf-streams-apply";

/// A tree of two files, and a series that changes both and adds one in a new folder.
struct Fake {
    root: tempfile::TempDir,
    series: Series,
}

fn fake() -> Fake {
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
    let fake = Fake { root, series };
    for name in ["kernel/a.c", "kernel/b.c"] {
        fake.write(name, "head\none\ntail\n");
    }
    fake
}

impl Fake {
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

    /// Every file of the tree with what it holds, journals included.
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

/// The files of the tree with the whole series.
fn applied() -> BTreeMap<PathBuf, String> {
    let fake = fake();
    assert_eq!(fake.apply().unwrap(), Applied::Files(3));
    relative(&fake)
}

fn relative(fake: &Fake) -> BTreeMap<PathBuf, String> {
    let tree = fake.tree();
    let files = fake.files().into_iter();
    files
        .map(|(path, text)| (path.strip_prefix(&tree).unwrap().to_owned(), text))
        .collect()
}

#[test]
fn wherever_a_run_dies_the_next_one_applies_the_whole_series() {
    let whole = applied();
    let mut half_way = 0;
    for points in 0.. {
        let fake = fake();
        let before = relative(&fake);
        let died = fault::run_until(points, || fake.apply()).is_none();
        if !died {
            assert!(points > 8, "only {points} places to die at");
            break;
        }
        let mut left = relative(&fake);
        left.retain(|path, _| !path.to_string_lossy().starts_with(FOLDER));
        half_way += usize::from(left != before && left != whole);
        let done = fake.apply().unwrap();
        assert!(
            done == Applied::Files(3) || (left == whole && done == Applied::Already),
            "{done:?} after {points} places"
        );
        assert_eq!(relative(&fake), whole, "after {points} places");
    }
    assert!(half_way >= 2, "only {half_way} runs died half-way");
}

#[test]
fn a_run_that_dies_while_it_takes_back_is_taken_back_by_the_next() {
    let whole = applied();
    for points in 0..3 {
        let fake = fake();
        // all is renamed, but the journal is there
        assert!((6..).any(|at| {
            let died = fault::run_until(at, || fake.apply()).is_none();
            assert!(died, "it never died with a file changed");
            fake.tree().join("kernel/new/c.c").exists()
        }));
        let died = fault::run_until(points, || fake.apply()).is_none();
        assert!(died);
        fake.apply().unwrap();
        assert_eq!(relative(&fake), whole);
    }
}

#[test]
fn a_file_that_somebody_changed_since_is_not_taken_back() {
    let fake = fake();
    let half_way = |fake: &Fake| {
        let text = fs::read_to_string(fake.tree().join("kernel/a.c")).unwrap();
        text.contains("two")
    };
    assert!((0..).any(|at| fault::run_until(at, || fake.apply()).is_none() && half_way(&fake)));
    fake.write("kernel/a.c", "mine\n");
    let before = fake.files();
    let error = format!("{:#}", fake.apply().unwrap_err());
    assert!(error.contains("kernel/a.c was changed after"), "{error}");
    assert!(error.contains(&format!("{FOLDER}/old")), "{error}");
    assert_eq!(fake.files(), before);
}

#[test]
fn a_failure_half_way_is_taken_back_at_once() {
    let fake = fake();
    let before = fake.files();
    let journal = Journal::begin(&fake.tree(), &fake.tree(), &["kernel/a.c", "kernel/b.c"]);
    // as if the disk had lost it
    fs::remove_file(fake.tree().join(FOLDER).join("new/kernel/b.c")).unwrap();
    let journal = journal.unwrap();
    let error = format!("{:#}", journal.carry_out().unwrap_err());
    assert!(error.contains("kernel/b.c"), "{error}");
    journal.take_back().unwrap();
    assert_eq!(fake.files(), before);
}

#[test]
fn owner_mode_and_time_of_a_file_are_kept() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let fake = fake();
    let path = fake.tree().join("kernel/a.c");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&path).unwrap();
    fake.apply().unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!((after.mode(), after.uid()), (before.mode(), before.uid()));
}
