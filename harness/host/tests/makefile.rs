// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The Makefile, run with a stub in place of cargo: which flags the harness gets, and which variables
//! its environment has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use bpf_streams::cmd::cli;

#[allow(dead_code)]
#[path = "../src/test_support.rs"]
mod test_support;

use test_support::write_executable;

const REPO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Prints the arguments after `--` and the environment, one per line, and fails with `$STATUS`.
const CARGO: &str = "#!/bin/sh\n\
    while [ \"$1\" != -- ]; do shift; done\n\
    shift\n\
    printf 'argument %s\\n' \"$@\"\n\
    env | sed 's/^/variable /'\n\
    exit \"${STATUS:-0}\"\n";

/// A clone with the Makefile, the scripts that it calls, and a cargo that is a stub.
struct Clone(tempfile::TempDir);

impl Clone {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let executable = |name: &str, text: &[u8]| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            write_executable(&path, text);
        };
        for name in [
            "Makefile",
            "harness/check-paths.sh",
            "harness/ensure-linker.sh",
        ] {
            executable(name, &fs::read(Path::new(REPO).join(name)).unwrap());
        }
        executable("path/cargo", CARGO.as_bytes());
        Self(dir)
    }

    fn make(&self, words: &[&str], environment: &[(&str, &str)]) -> Output {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.0.path().join("path").display());
        let mut command = Command::new("make");
        command.arg("--silent").args(words).current_dir(&self.0);
        for name in variables() {
            command.env_remove(name);
        }
        for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
            command.env_remove(name);
        }
        command
            .env("PATH", path)
            .env("XDG_CACHE_HOME", self.0.path().join("cache"))
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    /// The arguments of the harness and the names of its variables.
    fn called(
        &self,
        words: &[&str],
        environment: &[(&str, &str)],
    ) -> (Vec<String>, BTreeSet<String>) {
        let out = self.make(words, environment);
        assert!(out.status.success(), "{out:?}");
        let stdout = String::from_utf8(out.stdout).unwrap();
        let with = |prefix: &'static str| {
            stdout
                .lines()
                .filter_map(move |line| line.strip_prefix(prefix))
        };
        let arguments = with("argument ").map(str::to_owned).collect();
        let names = with("variable ").filter_map(|line| line.split_once('='));
        (arguments, names.map(|(name, _)| name.to_owned()).collect())
    }
}

/// The value of a variable of the Makefile, as words.
fn words(name: &str) -> BTreeSet<String> {
    let makefile = fs::read_to_string(Path::new(REPO).join("Makefile")).unwrap();
    let makefile = makefile.replace("\\\n", " ");
    let line = makefile
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} := ")))
        .unwrap_or_else(|| panic!("the Makefile has no {name}"));
    line.split_whitespace().map(str::to_owned).collect()
}

/// The flags of every task, as variables of make.
fn variables() -> BTreeSet<String> {
    let mut command = cli::command();
    command.build();
    command
        .get_subcommands()
        .filter(|task| task.get_name() != "help")
        .flat_map(|task| task.get_arguments())
        .filter_map(|argument| argument.get_long())
        .filter(|name| !["help", "version", "all"].contains(name))
        .map(|name| name.to_uppercase().replace('-', "_"))
        .collect()
}

#[test]
fn the_makefile_lists_the_tasks_and_flags_of_the_harness() {
    let mut command = cli::command();
    command.build();
    let tasks: BTreeSet<String> = command
        .get_subcommands()
        .map(|task| task.get_name().to_owned())
        .collect();
    assert_eq!(words("TASKS"), tasks);
    assert_eq!(words("VARIABLES"), variables());
}

#[test]
fn a_variable_on_the_command_line_becomes_a_flag() {
    let clone = Clone::new();
    let given = [
        "boot-test",
        "ARCH=arm64",
        "TEST=^(a|b)__'x y'$",
        "JSON=",
        "STRESS=3",
    ];
    let (arguments, names) = clone.called(&given, &[]);
    assert_eq!(
        arguments,
        [
            "boot-test",
            "--arch=arm64",
            "--stress=3",
            "--test=^(a|b)__'x y'$"
        ]
    );
    assert!(names.is_disjoint(&variables()), "{names:?}");
}

#[test]
fn a_variable_of_the_environment_changes_nothing() {
    let clone = Clone::new();
    let environment: Vec<(String, &str)> = variables()
        .into_iter()
        .map(|name| (name, "nonsense"))
        .collect();
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let (arguments, names) = clone.called(&["nightly"], &environment);
    assert_eq!(arguments, ["nightly"]);
    assert!(names.is_disjoint(&variables()), "{names:?}");
}

#[test]
fn flags_of_make_do_not_reach_the_harness() {
    let (_, names) = Clone::new().called(&["doctor", "--keep-going", "BASE=v6.12"], &[]);
    for name in ["MAKEFLAGS", "MFLAGS"] {
        assert!(!names.contains(name), "{name}");
    }
}

#[test]
fn the_default_is_help_and_a_failure_of_the_harness_fails_make() {
    let clone = Clone::new();
    assert_eq!(clone.called(&[], &[]).0, ["help"]);
    for status in ["1", "2"] {
        let out = clone.make(&["doctor"], &[("STATUS", status)]);
        assert_eq!(out.status.code(), Some(2), "{out:?}");
    }
}
