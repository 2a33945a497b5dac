// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Helpers for unit tests.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes an executable file. A child process writes it: if this process did, a child that another test
/// starts at that moment would inherit the open file, and running it would fail with ETXTBSY.
pub fn write_executable(path: &Path, text: impl AsRef<[u8]>) {
    let mut child = Command::new("sh")
        .args(["-c", "cat >\"$0\" && chmod 755 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_ref()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// The names of the files in `dir`, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = dir
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
