// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Snapshots: missing, stale, damaged, unreferenced, one too many; on a desk and with `CI=true`.
//!
//! insta takes its settings from the environment of the process, so what depends on them runs in a
//! child: the test `child` of this very file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bpf_streams::judge::snapshot::Store;

const SNAPSHOT: &str =
    "---\nsource: host/src/snapshot.rs\n---\nreturned: 0\n\nstdout:\n| approved\n";
const APPROVED: &str = "returned: 0\n\nstdout:\n| approved\n";
const CHANGED: &str = "returned: 0\n\nstdout:\n| changed\n";

fn store(dir: &Path) -> Store {
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<BTreeSet<String>>()
    };
    Store {
        dir: dir.to_owned(),
        known: set(&["x86_64", "arm64", "debug", "v6.12"]),
        of_run: set(&["x86_64", "v6.12"]),
    }
}

/// A folder of snapshots.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .path()
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// How `text` compares with the snapshot of `a__x`, and all that was said.
    fn compare(&self, text: &str, variables: &[(&str, &str)]) -> (String, String) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--ignored", "--nocapture"]);
        for name in [
            "CI",
            "TF_BUILD",
            "INSTA_UPDATE",
            "INSTA_FORCE_PASS",
            "INSTA_OUTPUT",
            "INSTA_WORKSPACE_ROOT",
        ] {
            command.env_remove(name);
        }
        let output = command
            .env("CHILD_FOLDER", self.path())
            .env("CHILD_TEXT", text)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let result = said
            .lines()
            .find_map(|line| line.strip_prefix("comparison: "))
            .unwrap_or_else(|| panic!("{said}"));
        (result.to_owned(), said)
    }
}

#[test]
#[ignore = "what the other tests run, with an environment of their own"]
fn child() {
    let folder = PathBuf::from(std::env::var_os("CHILD_FOLDER").unwrap());
    let text = std::env::var("CHILD_TEXT").unwrap();
    let result = store(&folder).compare("a__x", "selftests/a.bpf.c", &text);
    println!("\ncomparison: {result:?}");
}

#[test]
fn the_approved_text_passes_on_a_desk_and_in_ci() {
    let folder = Folder::with(&[("a__x.snap", SNAPSHOT)]);
    for variables in [&[][..], &[("CI", "true")]] {
        assert_eq!(folder.compare(APPROVED, variables).0, "Same");
    }
    assert_eq!(folder.names(), ["a__x.snap"]);
}

#[test]
fn a_stale_snapshot_gives_a_text_to_review() {
    let folder = Folder::with(&[("a__x.snap", SNAPSHOT)]);
    let (result, said) = folder.compare(CHANGED, &[]);
    assert!(
        result.starts_with("Different(Some(") && result.contains("a__x.snap.new"),
        "{result}"
    );
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(folder.names(), ["a__x.snap", "a__x.snap.new"]);
    let pending = fs::read_to_string(folder.path().join("a__x.snap.new")).unwrap();
    assert!(
        pending.ends_with(CHANGED) && pending.contains("selftests/a.bpf.c"),
        "{pending}"
    );
    // Once the text is as approved again, nothing is left to review.
    assert_eq!(folder.compare(APPROVED, &[]).0, "Same");
    assert_eq!(folder.names(), ["a__x.snap"]);
}

#[test]
fn a_stale_snapshot_in_ci_fails_and_writes_nothing() {
    let folder = Folder::with(&[("a__x.snap", SNAPSHOT)]);
    let (result, _) = folder.compare(CHANGED, &[("CI", "true")]);
    assert_eq!(result, "Different(None)");
    assert_eq!(folder.names(), ["a__x.snap"]);
    assert_eq!(
        fs::read_to_string(folder.path().join("a__x.snap")).unwrap(),
        SNAPSHOT
    );
}

#[test]
fn a_missing_snapshot_never_passes() {
    let folder = Folder::with(&[]);
    assert_eq!(
        folder.compare(APPROVED, &[("CI", "true")]).0,
        "Missing(None)"
    );
    assert_eq!(folder.names(), [""; 0]);
    assert!(folder.compare(APPROVED, &[]).0.starts_with("Missing(Some("));
    assert_eq!(folder.names(), ["a__x.snap.new"]);
    // A text that awaits its review is no snapshot.
    assert!(folder.compare(APPROVED, &[]).0.starts_with("Missing(Some("));
}

#[test]
fn no_setting_of_insta_makes_a_difference_pass() {
    for setting in [
        ("INSTA_FORCE_PASS", "1"),
        ("INSTA_UPDATE", "always"),
        ("INSTA_UPDATE", "force"),
        ("INSTA_UPDATE", "no"),
    ] {
        let folder = Folder::with(&[("a__x.snap", SNAPSHOT)]);
        assert!(
            folder
                .compare(CHANGED, &[setting])
                .0
                .starts_with("Different("),
            "{setting:?}"
        );
        let folder = Folder::with(&[]);
        assert!(
            folder
                .compare(CHANGED, &[setting])
                .0
                .starts_with("Missing("),
            "{setting:?}"
        );
    }
    let folder = Folder::with(&[("a__x.snap", SNAPSHOT)]);
    let (result, _) = folder.compare(APPROVED, &[("INSTA_UPDATE", "nonsense")]);
    assert!(
        result.starts_with("Unusable(") && result.contains("INSTA_UPDATE"),
        "{result}"
    );
}

#[test]
fn a_damaged_snapshot_never_passes() {
    for damaged in [
        "",
        "---\n<<<<<<< HEAD\n---\nreturned: 0\n",
        "---\nsource: x\n",
    ] {
        let folder = Folder::with(&[("a__x.snap", damaged)]);
        let (result, _) = folder.compare(APPROVED, &[("CI", "true")]);
        assert!(
            result.starts_with("Unusable(") || result == "Different(None)",
            "{damaged:?}: {result}"
        );
    }
}

#[test]
fn a_variant_is_taken_where_there_is_one_for_this_run() {
    let other = SNAPSHOT.replace("approved", "changed");
    let folder = Folder::with(&[("a__x.snap", SNAPSHOT), ("a__x@arm64.snap", &other)]);
    assert_eq!(folder.compare(APPROVED, &[]).0, "Same");
    let folder = Folder::with(&[("a__x.snap", SNAPSHOT), ("a__x@x86_64.snap", &other)]);
    assert_eq!(folder.compare(CHANGED, &[]).0, "Same");
    assert!(
        folder
            .compare(APPROVED, &[("CI", "true")])
            .0
            .starts_with("Different")
    );
    let folder = Folder::with(&[("a__x@v6.12.snap", SNAPSHOT), ("a__x@x86_64.snap", &other)]);
    let (result, _) = folder.compare(CHANGED, &[]);
    assert!(
        result.contains("a__x@v6.12.snap and a__x@x86_64.snap"),
        "{result}"
    );
}

#[test]
fn snapshots_that_no_test_uses_are_found() {
    let other = SNAPSHOT.replace("approved", "changed");
    let folder = Folder::with(&[
        ("a__x.snap", SNAPSHOT),
        ("a__x@arm64.snap", &other),
        ("a__x@v6.12.snap", SNAPSHOT),
        ("a__x@mips.snap", &other),
        ("a__gone.snap", SNAPSHOT),
        ("a__gone@arm64.snap", SNAPSHOT),
        ("a__y.snap.new", SNAPSHOT),
        (".gitkeep", ""),
        ("a__x.txt", "text"),
    ]);
    let tests = ["a__x".to_owned(), "a__y".to_owned()];
    let found: Vec<String> = store(folder.path())
        .unreferenced(&tests)
        .unwrap()
        .iter()
        .map(|file| {
            format!(
                "{}: {}",
                file.path.file_name().unwrap().to_string_lossy(),
                file.why
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "a__gone.snap: no test has this name",
            "a__gone@arm64.snap: no test has this name",
            "a__x.txt: it is no snapshot",
            "a__x@mips.snap: no architecture, configuration or base has the name behind the @",
            "a__x@v6.12.snap: it is the same as the snapshot without @",
        ]
    );
}
