// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Snapshots: missing, stale, damaged, unreferenced, ambiguous; at a desk and in CI.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bpf_streams::judge::snapshot::{Comparison, Snapshots};

const SNAPSHOT: &str =
    "---\nsource: host/src/snapshot.rs\n---\nreturned: 0\n\nstdout:\n| approved\n";
const APPROVED: &str = "returned: 0\n\nstdout:\n| approved\n";
const CHANGED: &str = "returned: 0\n\nstdout:\n| changed\n";

/// Where a run takes place.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Desk,
    Ci,
}

fn snapshots(dir: &Path, at: At) -> Snapshots {
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<BTreeSet<String>>()
    };
    Snapshots {
        dir: dir.to_owned(),
        known: set(&["x86_64", "arm64", "debug", "v6.12"]),
        of_run: set(&["x86_64", "v6.12"]),
        write_pending: at == At::Desk,
    }
}

/// A folder of snapshots.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The files in the folder `a`.
    fn names(&self) -> Vec<String> {
        let Ok(entries) = self.path().join("a").read_dir() else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Compares `text` with the snapshot of `a__x`.
    fn compare(&self, text: &str, at: At) -> Comparison {
        snapshots(self.path(), at).compare("a__x", "selftests/a.bpf.c", text)
    }

    fn pending(&self) -> Option<PathBuf> {
        Some(self.path().join("a/x.snap.new"))
    }
}

fn why_unusable(comparison: Comparison) -> String {
    match comparison {
        Comparison::Unusable(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_approved_text_passes_at_a_desk_and_in_ci() {
    let folder = Folder::with(&[("a/x.snap", SNAPSHOT)]);
    for at in [At::Desk, At::Ci] {
        assert_eq!(folder.compare(APPROVED, at), Comparison::Same);
    }
    assert_eq!(folder.names(), ["x.snap"]);
    let unchanged = fs::read_to_string(folder.path().join("a/x.snap")).unwrap();
    assert_eq!(unchanged, SNAPSHOT);
}

#[test]
fn a_stale_snapshot_writes_a_pending_text_that_insta_reads() {
    let folder = Folder::with(&[("a/x.snap", SNAPSHOT)]);
    let pending = folder.pending();
    assert_eq!(
        folder.compare(CHANGED, At::Desk),
        Comparison::Different(pending.clone())
    );
    assert_eq!(folder.names(), ["x.snap", "x.snap.new"]);
    let read = insta::Snapshot::from_file(&pending.unwrap()).unwrap();
    assert_eq!(read.metadata().description(), Some("selftests/a.bpf.c"));
    assert_eq!(read.as_text().unwrap().to_string(), CHANGED.trim_end());
    // Once the text is the approved one again, there is nothing to review.
    assert_eq!(folder.compare(APPROVED, At::Desk), Comparison::Same);
    assert_eq!(folder.names(), ["x.snap"]);
}

#[test]
fn a_pending_text_passes_once_it_is_the_snapshot() {
    let folder = Folder::with(&[]);
    let pending = folder.pending();
    assert_eq!(
        folder.compare(CHANGED, At::Desk),
        Comparison::Missing(pending.clone())
    );
    fs::rename(pending.unwrap(), folder.path().join("a/x.snap")).unwrap();
    assert_eq!(folder.compare(CHANGED, At::Ci), Comparison::Same);
}

#[test]
fn a_stale_snapshot_in_ci_fails_and_writes_nothing() {
    let folder = Folder::with(&[("a/x.snap", SNAPSHOT)]);
    assert_eq!(folder.compare(CHANGED, At::Ci), Comparison::Different(None));
    assert_eq!(folder.names(), ["x.snap"]);
    assert_eq!(
        fs::read_to_string(folder.path().join("a/x.snap")).unwrap(),
        SNAPSHOT
    );
}

#[test]
fn a_pending_text_is_left_alone_in_ci() {
    let folder = Folder::with(&[("a/x.snap", SNAPSHOT), ("a/x.snap.new", SNAPSHOT)]);
    assert_eq!(folder.compare(APPROVED, At::Ci), Comparison::Same);
    assert_eq!(folder.names(), ["x.snap", "x.snap.new"]);
}

#[test]
fn a_missing_snapshot_never_passes() {
    let folder = Folder::with(&[]);
    assert_eq!(folder.compare(APPROVED, At::Ci), Comparison::Missing(None));
    assert_eq!(folder.names(), [""; 0]);
    // A pending text is not a snapshot.
    for _ in 0..2 {
        assert_eq!(
            folder.compare(APPROVED, At::Desk),
            Comparison::Missing(folder.pending())
        );
    }
    assert_eq!(folder.names(), ["x.snap.new"]);
}

#[test]
fn a_damaged_snapshot_is_an_error_that_names_the_file() {
    for damaged in [
        "",
        "returned: 0\n",
        "---\n<<<<<<< HEAD\n---\nreturned: 0\n",
        "---\nsource: x\n",
    ] {
        let folder = Folder::with(&[("a/x.snap", damaged)]);
        let why = why_unusable(folder.compare(APPROVED, At::Ci));
        assert!(
            why.contains("a/x.snap") && why.contains("remove"),
            "{damaged:?}: {why}"
        );
    }
    let folder = Folder::with(&[]);
    fs::create_dir_all(folder.path().join("a/x.snap")).unwrap();
    assert!(why_unusable(folder.compare(APPROVED, At::Ci)).contains("a/x.snap"));
}

#[test]
fn a_pending_text_that_cannot_be_written_is_an_error_that_names_the_file() {
    let folder = Folder::with(&[("a", "a file where a folder should be")]);
    let why = why_unusable(folder.compare(APPROVED, At::Desk));
    assert!(why.contains("/a"), "{why}");
}

#[test]
fn the_variant_of_this_run_is_used_where_it_exists() {
    let other = SNAPSHOT.replace("approved", "changed");
    let folder = Folder::with(&[("a/x.snap", SNAPSHOT), ("a/x@arm64.snap", &other)]);
    assert_eq!(folder.compare(APPROVED, At::Desk), Comparison::Same);
    let folder = Folder::with(&[("a/x.snap", SNAPSHOT), ("a/x@x86_64.snap", &other)]);
    assert_eq!(folder.compare(CHANGED, At::Desk), Comparison::Same);
    assert_eq!(
        folder.compare(APPROVED, At::Ci),
        Comparison::Different(None)
    );
    assert_eq!(
        folder.compare(APPROVED, At::Desk),
        Comparison::Different(Some(folder.path().join("a/x@x86_64.snap.new")))
    );
    let folder = Folder::with(&[("a/x@v6.12.snap", SNAPSHOT), ("a/x@x86_64.snap", &other)]);
    let why = why_unusable(folder.compare(CHANGED, At::Desk));
    assert!(
        why.contains("a/x@v6.12.snap and ") && why.contains("a/x@x86_64.snap apply"),
        "{why}"
    );
}

#[test]
fn unreferenced_files_and_folders_are_found() {
    let other = SNAPSHOT.replace("approved", "changed");
    let folder = Folder::with(&[
        ("a/x.snap", SNAPSHOT),
        ("a/x@arm64.snap", &other),
        ("a/x@v6.12.snap", SNAPSHOT),
        ("a/x@mips.snap", &other),
        ("a/gone.snap", SNAPSHOT),
        ("a/gone@arm64.snap", SNAPSHOT),
        ("a/y.snap.new", SNAPSHOT),
        ("a/x.txt", "text"),
        ("a/nested/x.snap", SNAPSHOT),
        ("gone/x.snap", SNAPSHOT),
        ("pending/x.snap.new", SNAPSHOT),
        ("a__x.snap", SNAPSHOT),
        (".gitkeep", ""),
    ]);
    let tests = ["a__x".to_owned(), "a__y".to_owned()];
    let found: Vec<String> = snapshots(folder.path(), At::Ci)
        .unreferenced(&tests)
        .unwrap()
        .iter()
        .map(|file| {
            let path = file.path.strip_prefix(folder.path()).unwrap();
            format!("{}: {}", path.display(), file.why)
        })
        .collect();
    assert_eq!(
        found,
        [
            "a/gone.snap: no test has this name",
            "a/gone@arm64.snap: no test has this name",
            "a/nested: it is not a snapshot",
            "a/x.txt: it is not a snapshot",
            "a/x@mips.snap: the name after @ is not an architecture, a configuration or a base",
            "a/x@v6.12.snap: it is the same as the snapshot without @",
            "a__x.snap: only folders belong here; a snapshot is <file>/<program>.snap",
            "gone: no file of tests has this name",
        ]
    );
}
