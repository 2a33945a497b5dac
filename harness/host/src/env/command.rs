// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs other programs so that a failure names the command and shows what it said.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail};
use xshell::{Cmd, Shell};

/// How much of what a failed command said goes into the error.
const TOLD_LINES: usize = 20;

/// What git and make would take from the environment, though it was meant for somebody else: git's
/// from a hook that runs us, make's and our own from `make boot-test ARCH=…`.
const FOREIGN: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "ACCEL",
    "ALONE",
    "ARCH",
    "BASE",
    "BOOT",
    "CONFIG",
    "CPUS",
    "JSON",
    "KERNEL",
    "OUT",
    "QUICK",
    "RUNS",
    "STRESS",
    "SUITE",
    "TEST",
    "TREE",
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
    "MAKEOVERRIDES",
    "KBUILD_OUTPUT",
    "CROSS_COMPILE",
    "O",
    "V",
    "W",
];

/// The folder that is searched for programs before those of `PATH`; see [`search_first`].
static FIRST: OnceLock<PathBuf> = OnceLock::new();

/// Has programs searched for in `dir` before the folders of `PATH`, for the rest of this process. It
/// holds the programs that set-up unpacked because they could not be installed.
pub fn search_first(dir: PathBuf) {
    // set once, by main; a second call has the same folder
    let _ = FIRST.set(dir);
}

/// The folders that programs are searched for in, as `PATH` has them.
#[must_use]
pub fn search_path() -> OsString {
    match FIRST.get() {
        Some(dir) => in_front(&[dir], &machine_path()),
        None => machine_path(),
    }
}

/// The same without the folder of unpacked programs, which a harness that called this one may have
/// put into `PATH`.
#[must_use]
pub fn machine_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own: Vec<PathBuf> = std::env::split_paths(&path)
        .filter(|dir| Some(dir) != FIRST.get())
        .collect();
    // what was split at colons joins again
    std::env::join_paths(own).unwrap_or(path)
}

/// `path` with `folders` in front of it.
#[must_use]
pub fn in_front(folders: &[&Path], path: &OsStr) -> OsString {
    let mut all = OsString::new();
    for folder in folders {
        if !all.is_empty() {
            all.push(":");
        }
        all.push(folder);
    }
    // an empty entry would be the working folder
    if !path.is_empty() {
        all.push(":");
        all.push(path);
    }
    all
}

/// Where `program` is, in [`search_path`].
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    which::which_in(program, Some(search_path()), "/").ok()
}

/// `program` in `dir`, in the C locale and free of variables that were meant for somebody else.
///
/// The shell is only what the command borrows its folder from; see [`shell_in`].
pub fn command<'a>(sh: &'a Shell, program: &str) -> Cmd<'a> {
    FOREIGN
        .iter()
        .fold(sh.cmd(program), |cmd, name| cmd.env_remove(name))
        .env("LC_ALL", "C")
        .env("PATH", search_path())
}

/// A shell that works in `dir`.
pub fn shell_in(dir: impl AsRef<Path>) -> Result<Shell> {
    let sh = Shell::new().context("cannot read the working folder")?;
    sh.change_dir(dir.as_ref());
    Ok(sh)
}

/// Runs `cmd` and returns its standard output, without the newline at its end. Failure is an error
/// that holds the command and the end of what it said.
pub fn output(cmd: Cmd<'_>) -> Result<String> {
    let line = cmd.to_string();
    let out = capture(cmd)?;
    if !out.status.success() {
        bail!("`{line}` failed ({}){}", out.status, told(&out));
    }
    // a tree may hold names and texts in old encodings; they are shown, never compared
    let text = String::from_utf8_lossy(&out.stdout);
    Ok(text.trim_end_matches('\n').to_owned())
}

/// Runs `cmd` and returns what it said and how it ended, whichever way that was.
pub fn capture(cmd: Cmd<'_>) -> Result<Output> {
    let line = cmd.to_string();
    cmd.quiet()
        .ignore_status()
        .output()
        .with_context(|| format!("cannot run `{line}`"))
}

/// The end of what a command said, each line behind a bar, for an error.
pub fn told(out: &Output) -> String {
    let stderr = String::from_utf8_lossy(&out.stderr);
    let stdout = String::from_utf8_lossy(&out.stdout);
    let text = if stderr.trim().is_empty() {
        stdout
    } else {
        stderr
    };
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let tail = &lines[lines.len().saturating_sub(TOLD_LINES)..];
    tail.iter().map(|line| format!("\n  | {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_shows_what_it_said() {
        let sh = shell_in("/").unwrap();
        let script = "echo out; echo why >&2; exit 3";
        let error = output(command(&sh, "sh").args(["-c", script])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("sh -c"), "{text}");
        assert!(text.ends_with("exit status: 3)\n  | why"), "{text}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let sh = shell_in("/").unwrap();
        let error = output(command(&sh, "no-such-program")).unwrap_err();
        assert!(format!("{error:#}").contains("no-such-program"));
    }

    #[test]
    fn folders_are_put_in_front_of_a_path() {
        let path = in_front(&[Path::new("/a"), Path::new("/b")], OsStr::new("/c:/d"));
        assert_eq!(path, "/a:/b:/c:/d");
        assert_eq!(in_front(&[Path::new("/a")], OsStr::new("")), "/a");
    }

    #[test]
    fn variables_of_the_harness_do_not_reach_the_command() {
        let sh = shell_in("/").unwrap();
        sh.set_var("KERNEL", "somewhere");
        let env = output(command(&sh, "env")).unwrap();
        assert!(!env.contains("KERNEL="), "{env}");
        assert!(env.contains("LC_ALL=C"), "{env}");
    }
}
