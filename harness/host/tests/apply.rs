// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make apply` on small trees applies all of the series, or nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A clone with a series of two patches, and a kernel tree.
struct ApplyTest {
    root: tempfile::TempDir,
}

const MAKE_TWO: &str = include_str!("apply/0001-make-it-two.patch");
const ADD_FILE: &str = include_str!("apply/0002-add-a-file.patch");

impl ApplyTest {
    fn new() -> ApplyTest {
        let test = ApplyTest {
            root: tempfile::tempdir().unwrap(),
        };
        test.write("clone/harness/README", "");
        test.write(
            "clone/patches/v6.12/base.json",
            r#"{"title": "t", "package": "p", "tested_with": "6.12.117"}"#,
        );
        test.write("clone/patches/v6.12/series", "0001-a.patch\n0002-b.patch\n");
        test.write("clone/patches/v6.12/0001-a.patch", MAKE_TWO);
        test.write("clone/patches/v6.12/0002-b.patch", ADD_FILE);
        for name in ["Kconfig", "Makefile", "MAINTAINERS"] {
            test.write(&format!("tree/{name}"), "");
        }
        test.write("tree/kernel/bpf/a.c", "head\none\ntail\n");
        test.write("tree/kernel/bpf/b.c", "head\none\ntail\n");
        test
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

    fn under_git(self) -> ApplyTest {
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

    fn apply_fails(&self, expected: &[&str]) {
        let out = self.apply();
        let stderr = String::from_utf8(out.stderr).unwrap();
        assert!(!out.status.success(), "{stderr}");
        for part in expected {
            assert!(stderr.contains(part), "`{part}` is not in:\n{stderr}");
        }
    }

    fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Adds a third patch to the series, which adds `count` files.
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

    /// Kills a run with SIGKILL, `after` it began to write a journal.
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

    /// Every file of the tree, except those of git.
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

fn assert_applied(test: &ApplyTest) {
    let files = test.files();
    let text = |name: &str| files.get(&test.path(name)).map(String::as_str);
    assert_eq!(text("tree/kernel/bpf/a.c"), Some("head\ntwo\ntail\n"));
    assert_eq!(text("tree/kernel/bpf/new.c"), Some("new\n"));
    assert_eq!(text("tree/kernel/bpf/b.c"), Some("head\none\ntail\n"));
}

#[test]
fn a_git_tree_gets_commits() {
    let test = ApplyTest::new().under_git();
    let out = test.apply();
    assert!(out.status.success(), "{out:?}");
    assert_applied(&test);
    let log = test.git(&["log", "--reverse", "--format=%an: %s"]);
    assert_eq!(
        log,
        "u: base\nA Uthor: bpf: Make it two\nA Uthor: bpf: Add a file\n"
    );
    assert_eq!(test.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_tree_without_git_gets_changed_files_and_no_others() {
    let test = ApplyTest::new();
    let before = test.files().len();
    let out = test.apply();
    assert!(out.status.success(), "{out:?}");
    assert_applied(&test);
    assert_eq!(test.files().len(), before + 1);
}

#[test]
fn a_git_tree_is_unchanged_if_the_second_patch_does_not_apply() {
    let test = ApplyTest::new();
    test.write("tree/kernel/bpf/new.c", "already here\n");
    let test = test.under_git();
    let (files, log) = (test.files(), test.git(&["log", "--format=%H"]));
    test.apply_fails(&[
        "0002-b.patch does not apply",
        "kernel/bpf/new.c",
        "nothing was changed",
    ]);
    assert_eq!(test.files(), files);
    assert_eq!(test.git(&["log", "--format=%H"]), log);
    assert_eq!(test.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_tree_without_git_is_unchanged_if_the_second_patch_does_not_apply() {
    let test = ApplyTest::new();
    test.write("tree/kernel/bpf/new.c", "already here\n");
    let files = test.files();
    test.apply_fails(&[
        "0002-b.patch does not apply",
        "kernel/bpf/new.c",
        "nothing was changed",
    ]);
    assert_eq!(test.files(), files);
}

#[test]
fn the_error_names_the_hunk() {
    for under_git in [true, false] {
        let mut test = ApplyTest::new();
        test.write("tree/kernel/bpf/a.c", "head\nzero\ntail\n");
        if under_git {
            test = test.under_git();
        }
        test.apply_fails(&["0001-a.patch", "kernel/bpf/a.c:1, hunk @@ -1,3 +1,3 @@"]);
    }
}

#[test]
fn a_dirty_tree_is_rejected() {
    let test = ApplyTest::new().under_git();
    test.write("tree/kernel/bpf/b.c", "mine\n");
    let files = test.files();
    test.apply_fails(&["not committed", "kernel/bpf/b.c"]);
    assert_eq!(test.files(), files);
}

#[test]
fn a_folder_that_is_not_a_kernel_tree_is_rejected() {
    let test = ApplyTest::new();
    fs::remove_file(test.path("tree/MAINTAINERS")).unwrap();
    test.apply_fails(&["is not the top of a kernel tree"]);
    fs::remove_dir_all(test.path("tree")).unwrap();
    test.apply_fails(&["no such folder"]);
}

#[test]
fn an_applied_series_is_recognised() {
    for test in [ApplyTest::new(), ApplyTest::new().under_git()] {
        assert!(test.apply().status.success());
        let files = test.files();
        let out = test.apply();
        let stdout = String::from_utf8(out.stdout).unwrap();
        assert!(out.status.success(), "{stdout}");
        assert!(
            stdout.contains("already contains the 2 patches"),
            "{stdout}"
        );
        assert_eq!(test.files(), files);
    }
}

#[test]
fn a_tree_with_part_of_the_series_is_rejected() {
    for under_git in [false, true] {
        let mut test = ApplyTest::new();
        test.write("tree/kernel/bpf/a.c", "head\ntwo\ntail\n");
        if under_git {
            test = test.under_git();
        }
        let files = test.files();
        test.apply_fails(&["contains the first 1 of the 2 patches, up to 0001-a.patch"]);
        assert_eq!(test.files(), files);
    }
}

#[test]
fn a_read_only_file_or_folder_is_an_error_before_any_change() {
    for (name, mode, writable) in [
        ("tree/kernel/bpf/a.c", 0o444, 0o644),
        ("tree/kernel/bpf", 0o555, 0o755),
        ("tree", 0o555, 0o755),
    ] {
        for test in [ApplyTest::new(), ApplyTest::new().under_git()] {
            let files = test.files();
            test.chmod(name, mode);
            let path = test.path(name).display().to_string();
            test.apply_fails(&[
                "nothing was changed",
                &format!("{path} cannot be written: it is read-only"),
            ]);
            assert_eq!(test.files(), files);
            test.chmod(name, writable);
            assert!(test.apply().status.success());
            assert_applied(&test);
        }
    }
}

#[test]
fn a_link_is_not_followed() {
    let test = ApplyTest::new();
    fs::rename(test.path("tree/kernel/bpf/a.c"), test.path("a.c")).unwrap();
    std::os::unix::fs::symlink(test.path("a.c"), test.path("tree/kernel/bpf/a.c")).unwrap();
    let files = test.files();
    test.apply_fails(&["kernel/bpf/a.c is not a regular file"]);
    assert_eq!(test.files(), files);
}

#[test]
fn the_next_run_repairs_the_tree_of_a_killed_run() {
    let mut interrupted = 0;
    for under_git in [false, true] {
        for round in 0..6 {
            let test = ApplyTest::new();
            test.add_patch_of_files(100);
            let test = if under_git { test.under_git() } else { test };
            test.apply_and_kill(Duration::from_micros(round * 2_000));
            let out = test.apply();
            let stderr = String::from_utf8(out.stderr).unwrap();
            assert!(out.status.success(), "{stderr}");
            interrupted += usize::from(stderr.contains("an earlier `make apply` was interrupted"));
            assert_applied(&test);
            let files = test.files();
            for at in 0..100 {
                let path = test.path(&format!("tree/kernel/bpf/many/{at}.c"));
                assert_eq!(files.get(&path).map(String::as_str), Some("many\n"));
            }
            // three files at the top, b.c, and what `assert_applied` looks at
            assert_eq!(files.len(), 3 + 3 + 100);
            if under_git {
                assert_eq!(test.git(&["status", "--porcelain"]), "");
            }
        }
    }
    assert!(interrupted > 0, "no run was killed while it changed files");
}
