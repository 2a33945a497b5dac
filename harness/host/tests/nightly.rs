// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make matrix`, `make nightly` and `make report` in a clone whose base has no package: its one cell
//! gives no result.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

/// A clone with one base, of which no package exists.
fn clone() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("patches/v0/base.json", "{}");
    write("kernel-config/base.config", "");
    write("kernel-config/x86_64.config", "");
    write("ci/matrix.toml", "[runner]\nx86_64 = 'runner'\n");
    write("harness/Cargo.toml", "");
    fs::create_dir(dir.path().join("path")).unwrap();
    symlink(which::which("sh").unwrap(), dir.path().join("path/sh")).unwrap();
    dir
}

fn harness(clone: &Path, arguments: &[&str]) -> Output {
    command(clone, arguments).output().unwrap()
}

fn command(clone: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bpf-streams"));
    command
        .args(arguments)
        .args(["--base", "v0"])
        .current_dir(clone)
        .env("XDG_CACHE_HOME", clone.join("cache"))
        // a shell and no tools: the cell must fail and install nothing
        .env("PATH", clone.join("path"));
    command
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn file(clone: &Path, name: &str) -> String {
    fs::read_to_string(clone.join("build/report").join(name)).unwrap()
}

#[test]
fn the_matrix_is_one_line_for_a_workflow() {
    let clone = clone();
    let out = harness(clone.path(), &["matrix"]);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(
        said(&out),
        "{\"include\":[{\"name\":\"v0-x86_64-plain\",\"runner\":\"runner\",\"base\":\"v0\",\
         \"arch\":\"x86_64\",\"config\":\"plain\"}]}\n"
    );
}

#[test]
fn variables_of_the_environment_change_neither_the_matrix_nor_a_cell() {
    let clone = clone();
    let plain = harness(clone.path(), &["matrix"]);
    let mut command = command(clone.path(), &["matrix"]);
    for name in [
        "BASE", "ARCH", "CONFIG", "KERNEL", "CELL", "STRESS", "CPUS", "ACCEL", "TEST",
    ] {
        command.env(name, "nonsense");
    }
    assert_eq!(said(&command.output().unwrap()), said(&plain));
    let out = command.args(["--config", "other"]).output().unwrap();
    assert!(out.status.success(), "{out:?}");
}

#[test]
fn the_exit_code_tells_a_failure_from_a_missing_verdict() {
    let clone = clone();
    let code = |arguments: &[&str]| harness(clone.path(), arguments).status.code();
    assert_eq!(code(&["matrix"]), Some(0));
    // no cell has a record
    assert_eq!(code(&["report"]), Some(1));
    // usage, and an unknown cell
    assert_eq!(code(&["matrix", "--no-such-flag"]), Some(2));
    assert_eq!(code(&["nightly", "--cell", "v0-arm64-plain"]), Some(2));
    // no tool works without PATH
    assert_eq!(code(&["doctor"]), Some(2));
}

#[test]
fn a_night_that_fails_says_so_everywhere() {
    let clone = clone();
    let out = harness(clone.path(), &["nightly"]);
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    let line = "FAILED  1 of 1 cells: v0-x86_64-plain; the set-up in debian-12, debian-12-backports, \
                debian-13; see build/report/index.html\n";
    assert_eq!(said(&out), line);
    assert!(file(clone.path(), "summary.md").contains("it ended without a result"));
    assert!(file(clone.path(), "index.html").contains("The cell failed"));
    assert!(file(clone.path(), "report.json").contains("\"passed\": false"));
    let output = file(clone.path(), "cells/v0-x86_64-plain.log");
    assert!(output.contains("error: "), "{output}");
    let page = file(clone.path(), "index.html");
    assert!(page.contains("Last ") && page.contains("lines of the output of boot-test"));
    let left: Vec<_> = clone
        .path()
        .join("build/report")
        .read_dir()
        .unwrap()
        .collect();
    assert_eq!(left.len(), 5, "{left:?}");
}

#[test]
fn a_report_of_nothing_is_a_failure() {
    let clone = clone();
    let out = harness(clone.path(), &["report"]);
    assert!(!out.status.success(), "{out:?}");
    assert!(file(clone.path(), "summary.md").contains("cells/v0-x86_64-plain.json is missing"));
}

#[test]
fn an_unknown_cell_is_an_error_that_lists_the_cells() {
    let clone = clone();
    let out = harness(clone.path(), &["nightly", "--cell", "v0-arm64-plain"]);
    assert!(!out.status.success(), "{out:?}");
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(
        error.contains("no cell v0-arm64-plain; it has v0-x86_64-plain"),
        "{error}"
    );
}
