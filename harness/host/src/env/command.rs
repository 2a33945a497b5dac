// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs programs. [`cmd!`] is xshell's, with an environment that is the same on every machine;
//! [`output`] and [`capture`] run the command, and an error shows the command and its last lines.
//!
//! `std::process::Command` is used only for what xshell cannot do: a process group of its own
//! (`vm/machine/process_group.rs`), output that is read while the command runs (`build/kernel/build.rs`), and
//! programs that take over the terminal (`sudo -v`, the shell in a guest).

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail};
use xshell::{Cmd, Shell};

/// How many of a failed command's last lines an error shows.
const SHOWN_LINES: usize = 20;

/// Variables that no command inherits: those of git hooks that run the harness, and those of make and
/// of the harness's own command line (`ARCH=… make boot-test`), which the kernel's make would read; a
/// test of `cmd/cli.rs` compares the latter with the flags.
pub(crate) const NOT_INHERITED: &[&str] = &[
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
    "CELL",
    "CONFIG",
    "CPUS",
    "JOBS",
    "JSON",
    "JUNIT",
    "KERNEL",
    "KTAP",
    "OUT",
    "QUICK",
    "RUNS",
    "SINCE",
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

/// See [`search_first`].
static FIRST: OnceLock<PathBuf> = OnceLock::new();

/// Has this process search `dir` for programs before the folders of `PATH`. `dir` holds the programs
/// that set-up unpacked because they could not be installed.
pub fn search_first(dir: PathBuf) {
    // a second call has the same folder
    let _ = FIRST.set(dir);
}

/// The folders in which programs are searched, in the form of `PATH`.
#[must_use]
pub fn search_path() -> OsString {
    match FIRST.get() {
        Some(dir) => in_front(&[dir], &machine_path()),
        None => machine_path(),
    }
}

/// [`search_path`] without the folder of unpacked programs, which `PATH` contains where one harness
/// runs another.
#[must_use]
pub fn machine_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own: Vec<PathBuf> = std::env::split_paths(&path)
        .filter(|dir| Some(dir) != FIRST.get())
        .collect();
    // paths that were split at colons can be joined
    std::env::join_paths(own).unwrap_or(path)
}

/// `path` with `folders` in front.
#[must_use]
pub fn in_front(folders: &[&Path], path: &OsStr) -> OsString {
    let mut all = OsString::new();
    for folder in folders {
        if !all.is_empty() {
            all.push(":");
        }
        all.push(folder);
    }
    // an empty entry would mean the working folder
    if !path.is_empty() {
        all.push(":");
        all.push(path);
    }
    all
}

/// The file of `program` in [`search_path`].
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    which::which_in(program, Some(search_path()), "/").ok()
}

/// xshell's `cmd!`, with the environment of [`isolated`].
macro_rules! cmd {
    ($($part:tt)*) => {
        $crate::env::command::isolated(xshell::cmd!($($part)*))
    };
}
pub(crate) use cmd;

/// `cmd` in the C locale, with [`search_path`] and without the variables of [`NOT_INHERITED`].
pub fn isolated(cmd: Cmd<'_>) -> Cmd<'_> {
    NOT_INHERITED
        .iter()
        .fold(cmd, |cmd, name| cmd.env_remove(name))
        .env("LC_ALL", "C")
        .env("PATH", search_path())
}

/// [`cmd!`] without arguments.
pub fn command<'a>(sh: &'a Shell, program: &str) -> Cmd<'a> {
    isolated(sh.cmd(program))
}

/// A shell whose working folder is `dir`.
pub fn shell_in(dir: impl AsRef<Path>) -> Result<Shell> {
    let sh = Shell::new().context("cannot read the working folder")?;
    sh.change_dir(dir.as_ref());
    Ok(sh)
}

/// Quotes a word for the shell.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Runs `cmd` and returns its standard output without the final newlines. If `cmd` fails, the error
/// has the command line and the last lines of its output.
pub fn output(cmd: Cmd<'_>) -> Result<String> {
    let line = cmd.to_string();
    let out = capture(cmd)?;
    if !out.status.success() {
        bail!("`{line}` failed ({}){}", out.status, last_lines(&out));
    }
    // kernel trees contain names and texts that are not UTF-8; these are shown, never compared
    let text = String::from_utf8_lossy(&out.stdout);
    Ok(text.trim_end_matches('\n').to_owned())
}

/// Runs `cmd` and returns its output and status, also where it fails.
pub fn capture(cmd: Cmd<'_>) -> Result<Output> {
    let line = cmd.to_string();
    cmd.quiet()
        .ignore_status()
        .output()
        .with_context(|| format!("cannot run `{line}`"))
}

/// The last lines of standard error, or of standard output where that is empty, for an error message.
pub fn last_lines(out: &Output) -> String {
    let stderr = String::from_utf8_lossy(&out.stderr);
    let stdout = String::from_utf8_lossy(&out.stdout);
    let text = if stderr.trim().is_empty() {
        stdout
    } else {
        stderr
    };
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let tail = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
    tail.iter().map(|line| format!("\n  | {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_command_and_its_output() {
        let sh = shell_in("/").unwrap();
        let script = "echo out; echo why >&2; exit 3";
        let error = output(cmd!(sh, "sh -c {script}")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("sh -c"), "{text}");
        assert!(text.ends_with("exit status: 3)\n  | why"), "{text}");
    }

    #[test]
    fn words_are_quoted_joined_and_may_be_empty() {
        let sh = shell_in("/").unwrap();
        let (value, list) = ("c d", ["e", "f g"]);
        let format = "[%s]";
        let printed = output(cmd!(sh, "printf {format} 'a '{value}/b '' {list...}")).unwrap();
        assert_eq!(printed, "[a c d/b][][e][f g]");
        let word = quote("it's");
        let script = format!("printf {word}");
        assert_eq!(output(cmd!(sh, "sh -c {script}")).unwrap(), "it's");
    }

    #[test]
    fn a_missing_program_is_named() {
        let sh = shell_in("/").unwrap();
        let error = output(cmd!(sh, "no-such-program")).unwrap_err();
        assert!(format!("{error:#}").contains("no-such-program"));
    }

    #[test]
    fn folders_are_put_in_front_of_a_path() {
        let path = in_front(&[Path::new("/a"), Path::new("/b")], OsStr::new("/c:/d"));
        assert_eq!(path, "/a:/b:/c:/d");
        assert_eq!(in_front(&[Path::new("/a")], OsStr::new("")), "/a");
    }

    #[test]
    fn commands_do_not_inherit_the_harness_variables() {
        let sh = shell_in("/").unwrap();
        sh.set_var("KERNEL", "somewhere");
        let env = output(cmd!(sh, "env")).unwrap();
        assert!(!env.contains("KERNEL="), "{env}");
        assert!(env.contains("LC_ALL=C"), "{env}");
    }
}
