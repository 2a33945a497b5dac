// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make apply` on small trees: all of the series, or nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A clone with a series of two patches, and a kernel tree to put it on.
struct Place {
    root: tempfile::TempDir,
}

const MAKE_TWO: &str = include_str!("apply/0001-make-it-two.patch");
const ADD_FILE: &str = include_str!("apply/0002-add-a-file.patch");

impl Place {
    fn new() -> Place {
        let place = Place {
            root: tempfile::tempdir().unwrap(),
        };
        place.write("clone/harness/README", "");
        place.write(
            "clone/patches/v6.12/base.json",
            r#"{"title": "t", "package": "p", "tested_with": "6.12.117"}"#,
        );
        place.write("clone/patches/v6.12/series", "0001-a.patch\n0002-b.patch\n");
        place.write("clone/patches/v6.12/0001-a.patch", MAKE_TWO);
        place.write("clone/patches/v6.12/0002-b.patch", ADD_FILE);
        for name in ["Kconfig", "Makefile", "MAINTAINERS"] {
            place.write(&format!("tree/{name}"), "");
        }
        place.write("tree/kernel/bpf/a.c", "head\none\ntail\n");
        place.write("tree/kernel/bpf/b.c", "head\none\ntail\n");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn git(&self, args: &[&str]) -> String {
        let out = Command::new("git")
            .args(["-c", "user.name=u", "-c", "user.email=u@example.org"])
            .args(args)
            .current_dir(self.path("tree"))
            .output()
            .unwrap();
        assert!(out.status.success(), "git {args:?}: {out:?}");
        String::from_utf8(out.stdout).unwrap()
    }

    fn under_git(self) -> Place {
        self.git(&["init", "--quiet"]);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "base"]);
        self
    }

    fn apply(&self) -> Output {
        Command::new(env!("CARGO_BIN_EXE_bpf-streams"))
            .args(["apply", "--tree"])
            .arg(self.path("tree"))
            .current_dir(self.path("clone"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("BASE")
            .output()
            .unwrap()
    }

    fn apply_fails(&self, told: &[&str]) {
        let out = self.apply();
        let stderr = String::from_utf8(out.stderr).unwrap();
        assert!(!out.status.success(), "{stderr}");
        for part in told {
            assert!(stderr.contains(part), "`{part}` is not in:\n{stderr}");
        }
    }

    /// Every file of the tree, git's own left out.
    fn files(&self) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        collect(&self.path("tree"), &mut files);
        files
    }
}

fn collect(dir: &Path, files: &mut BTreeMap<PathBuf, String>) {
    for entry in dir.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with(".git") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            files.insert(path, text);
        }
    }
}

fn is_applied(place: &Place) {
    let files = place.files();
    let text = |name: &str| files.get(&place.path(name)).map(String::as_str);
    assert_eq!(text("tree/kernel/bpf/a.c"), Some("head\ntwo\ntail\n"));
    assert_eq!(text("tree/kernel/bpf/new.c"), Some("new\n"));
    assert_eq!(text("tree/kernel/bpf/b.c"), Some("head\none\ntail\n"));
}

#[test]
fn a_git_tree_gets_commits() {
    let place = Place::new().under_git();
    let out = place.apply();
    assert!(out.status.success(), "{out:?}");
    is_applied(&place);
    let log = place.git(&["log", "--reverse", "--format=%an: %s"]);
    assert_eq!(
        log,
        "u: base\nA Uthor: bpf: Make it two\nA Uthor: bpf: Add a file\n"
    );
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_tree_without_git_gets_changed_files_and_no_others() {
    let place = Place::new();
    let before = place.files().len();
    let out = place.apply();
    assert!(out.status.success(), "{out:?}");
    is_applied(&place);
    assert_eq!(place.files().len(), before + 1);
}

#[test]
fn where_the_second_patch_does_not_fit_a_git_tree_stays_as_it_was() {
    let place = Place::new();
    place.write("tree/kernel/bpf/new.c", "already here\n");
    let place = place.under_git();
    let (files, log) = (place.files(), place.git(&["log", "--format=%H"]));
    place.apply_fails(&[
        "0002-b.patch does not apply",
        "kernel/bpf/new.c",
        "as it was",
    ]);
    assert_eq!(place.files(), files);
    assert_eq!(place.git(&["log", "--format=%H"]), log);
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

#[test]
fn where_it_does_not_fit_a_tree_without_git_stays_as_it_was() {
    let place = Place::new();
    place.write("tree/kernel/bpf/new.c", "already here\n");
    let files = place.files();
    place.apply_fails(&[
        "0002-b.patch does not apply",
        "kernel/bpf/new.c",
        "as it was",
    ]);
    assert_eq!(place.files(), files);
}

#[test]
fn the_hunk_that_does_not_fit_is_named() {
    for under_git in [true, false] {
        let mut place = Place::new();
        place.write("tree/kernel/bpf/a.c", "head\nzero\ntail\n");
        if under_git {
            place = place.under_git();
        }
        place.apply_fails(&["0001-a.patch", "kernel/bpf/a.c:1, hunk @@ -1,3 +1,3 @@"]);
    }
}

#[test]
fn a_dirty_tree_is_refused() {
    let place = Place::new().under_git();
    place.write("tree/kernel/bpf/b.c", "mine\n");
    let files = place.files();
    place.apply_fails(&["not committed", "kernel/bpf/b.c"]);
    assert_eq!(place.files(), files);
}

#[test]
fn what_is_no_kernel_tree_is_refused() {
    let place = Place::new();
    fs::remove_file(place.path("tree/MAINTAINERS")).unwrap();
    place.apply_fails(&["is not the top of a kernel tree"]);
    fs::remove_dir_all(place.path("tree")).unwrap();
    place.apply_fails(&["there is no such folder"]);
}

#[test]
fn a_series_that_is_already_there_is_not_put_on_twice() {
    let place = Place::new().under_git();
    assert!(place.apply().status.success());
    let files = place.files();
    place.apply_fails(&["0001-a.patch does not apply", "already there"]);
    assert_eq!(place.files(), files);
}
