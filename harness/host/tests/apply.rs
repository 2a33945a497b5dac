// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make apply` on small trees: all of the series, or nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

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

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bpf-streams"));
        command
            .args(["apply", "--tree"])
            .arg(self.path("tree"))
            .current_dir(self.path("clone"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env_remove("BASE");
        command
    }

    fn apply(&self) -> Output {
        self.command().output().unwrap()
    }

    fn apply_fails(&self, told: &[&str]) {
        let out = self.apply();
        let stderr = String::from_utf8(out.stderr).unwrap();
        assert!(!out.status.success(), "{stderr}");
        for part in told {
            assert!(stderr.contains(part), "`{part}` is not in:\n{stderr}");
        }
    }

    fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Gives the series a third patch, which adds so many files.
    fn add_patch_of_files(&self, count: usize) {
        let (head, _) = ADD_FILE.split_once("---\n").unwrap();
        let mut text = format!("{head}---\n");
        for at in 0..count {
            let file = format!("kernel/bpf/many/{at}.c");
            text.push_str(&format!(
                "diff --git a/{file} b/{file}\nnew file mode 100644\n--- /dev/null\n+++ b/{file}\n\
                 @@ -0,0 +1 @@\n+many\n"
            ));
        }
        self.write("clone/patches/v6.12/0003-c.patch", &text);
        let list = "0001-a.patch\n0002-b.patch\n0003-c.patch\n";
        self.write("clone/patches/v6.12/series", list);
    }

    /// Kills a run with SIGKILL, so long after it has begun to write a journal.
    fn apply_and_kill(&self, after: Duration) {
        let journals = [
            self.path("tree/.bpf-streams-apply"),
            self.path("tree/.git/bpf-streams-apply"),
        ];
        let mut child = self.command().stderr(Stdio::null()).spawn().unwrap();
        while !journals.iter().any(|journal| journal.exists()) {
            if child.try_wait().unwrap().is_some() {
                return;
            }
        }
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
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
        "nothing was changed",
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
        "nothing was changed",
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
fn a_series_that_is_already_there_is_recognised() {
    for place in [Place::new(), Place::new().under_git()] {
        assert!(place.apply().status.success());
        let files = place.files();
        let out = place.apply();
        let stdout = String::from_utf8(out.stdout).unwrap();
        assert!(out.status.success(), "{stdout}");
        assert!(
            stdout.contains("contains the 2 patches already"),
            "{stdout}"
        );
        assert_eq!(place.files(), files);
    }
}

#[test]
fn a_tree_with_a_part_of_the_series_is_refused() {
    for under_git in [false, true] {
        let mut place = Place::new();
        place.write("tree/kernel/bpf/a.c", "head\ntwo\ntail\n");
        if under_git {
            place = place.under_git();
        }
        let files = place.files();
        place.apply_fails(&["contains the first 1 of the 2 patches, up to 0001-a.patch"]);
        assert_eq!(place.files(), files);
    }
}

#[test]
fn a_file_or_folder_that_cannot_be_written_is_named_before_anything_changes() {
    for (name, mode, writable) in [
        ("tree/kernel/bpf/a.c", 0o444, 0o644),
        ("tree/kernel/bpf", 0o555, 0o755),
        ("tree", 0o555, 0o755),
    ] {
        for place in [Place::new(), Place::new().under_git()] {
            let files = place.files();
            place.chmod(name, mode);
            let path = place.path(name).display().to_string();
            place.apply_fails(&[
                "nothing was changed",
                &format!("{path} cannot be written: it is read-only"),
            ]);
            assert_eq!(place.files(), files);
            place.chmod(name, writable);
            assert!(place.apply().status.success());
            is_applied(&place);
        }
    }
}

#[test]
fn a_link_is_not_followed() {
    let place = Place::new();
    fs::rename(place.path("tree/kernel/bpf/a.c"), place.path("a.c")).unwrap();
    std::os::unix::fs::symlink(place.path("a.c"), place.path("tree/kernel/bpf/a.c")).unwrap();
    let files = place.files();
    place.apply_fails(&["kernel/bpf/a.c is not a regular file"]);
    assert_eq!(place.files(), files);
}

#[test]
fn a_tree_whose_run_was_killed_is_put_right_by_the_next() {
    let mut interrupted = 0;
    for under_git in [false, true] {
        for round in 0..6 {
            let place = Place::new();
            place.add_patch_of_files(100);
            let place = if under_git { place.under_git() } else { place };
            place.apply_and_kill(Duration::from_micros(round * 2_000));
            let out = place.apply();
            let stderr = String::from_utf8(out.stderr).unwrap();
            assert!(out.status.success(), "{stderr}");
            interrupted += usize::from(stderr.contains("an earlier `make apply` was interrupted"));
            is_applied(&place);
            let files = place.files();
            for at in 0..100 {
                let path = place.path(&format!("tree/kernel/bpf/many/{at}.c"));
                assert_eq!(files.get(&path).map(String::as_str), Some("many\n"));
            }
            // three files at the top, b.c, and what `is_applied` looks at
            assert_eq!(files.len(), 3 + 3 + 100);
            if under_git {
                assert_eq!(place.git(&["status", "--porcelain"]), "");
            }
        }
    }
    assert!(interrupted > 0, "no run was killed while it changed files");
}
