// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The tools of the machine that the harness calls: which version will do, and whether they work.
//!
//! A tool is checked by what it is used for: a program is run, a library is linked by the compiler
//! that will link it, a Python module is imported by the interpreter that will import it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::env::command::{self, capture, command, shell_in};
use crate::env::elf::{self, Linkage};

pub mod python;
mod table;

use python::Importer;
pub use table::{
    FOR_DOCUMENTATION, FOR_MAINLINE, FOR_PATCHES, FOR_SERIES, FOR_SETUP_TEST, FOR_TESTS,
    FOR_TREE_TESTS, Origin, every, needed, needed_for,
};

/// What has to be there.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// What it is; with [`Tool::name`] it identifies the tool.
    pub kind: Kind,
    /// How it is called.
    pub name: &'static str,
    /// The oldest version that will do, where that matters.
    pub minimum: Option<Version>,
    /// What proves that it works.
    pub proof: Proof,
    /// Debian's package of it.
    pub package: &'static str,
    /// What it is needed for.
    pub why: &'static str,
}

/// What a tool is. Tools of different kinds may have the same name: the program `git` and the Python
/// module `git` come in different packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A program on the search path.
    Program,
    /// A program on the search path that runs without any library: it is copied into guests.
    StaticProgram,
    /// A library and its headers.
    Library,
    /// A module that a Python interpreter imports.
    PythonModule,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Program => "program",
            Kind::StaticProgram => "static program",
            Kind::Library => "library",
            Kind::PythonModule => "Python module",
        })
    }
}

/// What proves that a tool works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It succeeds with these arguments and this input, and what it prints contains `output`.
    Run {
        /// Arguments.
        args: &'static [&'static str],
        /// Standard input.
        input: &'static str,
        /// A part of its standard output.
        output: &'static str,
    },
    /// gcc compiles this program and links it with these arguments.
    Link {
        /// Source of the program, in C.
        source: &'static str,
        /// Arguments behind the source.
        args: &'static [&'static str],
    },
    /// An interpreter imports the module.
    Import(Importer),
}

/// Major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What was found of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It works.
    Good(Option<Version>),
    /// It is at this path, and too old.
    TooOld(PathBuf, Version),
    /// It is not there.
    Missing,
    /// It is there and does not do what it is needed for; this is what it said.
    Broken(String),
}

impl State {
    /// Whether the tool can be used.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, State::Good(_))
    }
}

/// What a check found, and the files that the answer depends on: while these do not change, neither
/// does the answer.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What was found.
    pub state: State,
    /// Files that the answer depends on.
    pub files: Vec<PathBuf>,
}

/// No check takes longer than a few seconds; one that hangs is ended.
const LONGEST_CHECK: &str = "60";

impl Tool {
    const fn program(
        name: &'static str,
        minimum: Option<Version>,
        package: &'static str,
        why: &'static str,
    ) -> Tool {
        Tool {
            kind: Kind::Program,
            name,
            minimum,
            proof: Proof::Run {
                args: &["--version"],
                input: "",
                output: "",
            },
            package,
            why,
        }
    }

    const fn static_program(name: &'static str, package: &'static str, why: &'static str) -> Tool {
        let mut tool = Tool::program(name, None, package, why);
        tool.kind = Kind::StaticProgram;
        tool
    }

    const fn library(
        name: &'static str,
        source: &'static str,
        args: &'static [&'static str],
        package: &'static str,
        why: &'static str,
    ) -> Tool {
        let mut tool = Tool::program(name, None, package, why);
        tool.kind = Kind::Library;
        tool.proof = Proof::Link { source, args };
        tool
    }

    const fn python_module(
        name: &'static str,
        importer: Importer,
        package: &'static str,
        why: &'static str,
    ) -> Tool {
        let mut tool = Tool::program(name, None, package, why);
        tool.kind = Kind::PythonModule;
        tool.proof = Proof::Import(importer);
        tool
    }

    /// The same program, with another proof than that `--version` succeeds.
    const fn proven_by(
        mut self,
        args: &'static [&'static str],
        input: &'static str,
        output: &'static str,
    ) -> Tool {
        self.proof = Proof::Run {
            args,
            input,
            output,
        };
        self
    }

    /// What tells this tool from every other.
    #[must_use]
    pub fn identity(&self) -> (Kind, &'static str) {
        (self.kind, self.name)
    }

    /// Whether it is a program, which can be run from anywhere; libraries and modules have to be
    /// where compiler and interpreter look for them.
    #[must_use]
    pub fn is_program(&self) -> bool {
        matches!(self.kind, Kind::Program | Kind::StaticProgram)
    }

    /// The file that is run to use it: the program itself, the compiler, or the interpreter.
    #[must_use]
    pub fn runs(&self, path: &OsStr) -> Option<PathBuf> {
        let find = |name| which::which_in(name, Some(path), "/").ok();
        match self.proof {
            Proof::Run { .. } => find(self.name),
            Proof::Link { .. } => find(COMPILER),
            Proof::Import(Importer::Scripts) => python::of_scripts(),
            Proof::Import(Importer::Venv) => python::of_scripts().or_else(|| find("python3")),
        }
    }

    /// Checks it with the programs that [`command::search_path`] has.
    #[must_use]
    pub fn check(&self) -> Checked {
        self.check_in(&command::search_path())
    }

    /// Checks it with the programs in these folders, written as `PATH` is.
    #[must_use]
    pub fn check_in(&self, path: &OsStr) -> Checked {
        let Some(program) = self.runs(path) else {
            return Checked {
                state: State::Missing,
                files: Vec::new(),
            };
        };
        let mut files = vec![program.clone()];
        let state = match self.proof {
            Proof::Run {
                args,
                input,
                output,
            } => self.check_program(&program, path, args, input, output),
            Proof::Link { source, args } => check_library(path, source, args, &mut files),
            Proof::Import(importer) => self.check_module(importer, &mut files),
        };
        Checked { state, files }
    }

    fn check_program(
        &self,
        program: &Path,
        path: &OsStr,
        args: &[&str],
        input: &str,
        output: &str,
    ) -> State {
        if self.kind == Kind::StaticProgram {
            match elf::linkage(program) {
                Ok(Linkage::Static) => (),
                Ok(_) => {
                    return State::Broken(format!("{} is not static", program.display()));
                }
                Err(error) => return State::Broken(format!("{error:#}")),
            }
        }
        let mut found = None;
        if let Some(minimum) = self.minimum {
            let said = match run(program, path, &["--version"], "") {
                Ok(said) => said,
                Err(said) => return State::Broken(said),
            };
            let Some(version) = parse_version(&said) else {
                return State::Broken(format!(
                    "{} --version prints no version: {}",
                    program.display(),
                    said.lines().next().unwrap_or_default()
                ));
            };
            if version < minimum {
                return State::TooOld(program.to_owned(), version);
            }
            found = Some(version);
        }
        match run(program, path, args, input) {
            Ok(said) if said.contains(output) => State::Good(found),
            Ok(said) => State::Broken(format!(
                "`{} {}` prints {:?}, expected {output:?}",
                program.display(),
                args.join(" "),
                said.lines().next().unwrap_or_default()
            )),
            Err(said) => State::Broken(said),
        }
    }

    fn check_module(&self, importer: Importer, files: &mut Vec<PathBuf>) -> State {
        let python = match importer {
            Importer::Scripts => python::of_scripts(),
            Importer::Venv => python::for_venv().or_else(python::of_scripts),
        };
        let Some(python) = python else {
            return State::Missing;
        };
        files.push(python.clone());
        match python::file_of(&python, self.name) {
            Ok(file) => {
                files.push(file);
                State::Good(None)
            }
            Err(said) => State::Broken(said),
        }
    }
}

/// Compiles and links; passed to the makes of the kernel and of bpftool.
const COMPILER: &str = "gcc";

/// Links a program with a library, and notes which headers and which libraries that took.
fn check_library(path: &OsStr, source: &str, args: &[&str], files: &mut Vec<PathBuf>) -> State {
    let check = || -> anyhow::Result<Result<String, String>> {
        let scratch = tempfile::tempdir()?;
        let (file, out) = (scratch.path().join("probe.c"), scratch.path().join("probe"));
        fs::write(&file, source)?;
        let sh = shell_in(scratch.path())?;
        let cmd = command(&sh, COMPILER).env("PATH", path).arg(&file);
        // the linker prints the files that it opens, the compiler the headers that it reads
        let cmd = cmd
            .arg("-o")
            .arg(&out)
            .args(args)
            .args(["-H", "-Wl,--trace"]);
        let said = capture(cmd)?;
        let stderr = String::from_utf8_lossy(&said.stderr).into_owned();
        if !said.status.success() {
            return Ok(Err(stderr));
        }
        let stdout = String::from_utf8_lossy(&said.stdout);
        Ok(Ok(format!("{stdout}\n{stderr}")))
    };
    match check() {
        Ok(Ok(said)) => {
            files.extend(absolute_paths(&said));
            State::Good(None)
        }
        Ok(Err(stderr)) => {
            let why = stderr
                .lines()
                .find(|line| line.contains("error") || line.contains("cannot find"))
                .or_else(|| stderr.lines().last());
            State::Broken(why.unwrap_or("it does not link").trim().to_owned())
        }
        Err(error) => State::Broken(format!("{error:#}")),
    }
}

/// The paths in what gcc prints with `-H` and ld with `--trace`: `.. /usr/include/x.h`,
/// `/usr/lib/libx.a`, `(/usr/lib/libx.a)member.o`.
fn absolute_paths(said: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = said
        .lines()
        .map(|line| line.trim_start_matches(['.', ' ', '(']))
        .filter(|line| line.starts_with('/'))
        .map(|line| line.split(')').next().unwrap_or(line))
        .map(PathBuf::from)
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// Runs a program, and returns what it printed, or the last line of its complaint.
fn run(program: &Path, path: &OsStr, args: &[&str], input: &str) -> Result<String, String> {
    let said = shell_in("/").and_then(|sh| {
        capture(
            command(&sh, "timeout")
                .env("PATH", path)
                .args(["--kill-after=5", LONGEST_CHECK])
                .arg(program)
                .args(args)
                .stdin(input),
        )
    });
    match said {
        Ok(out) if out.status.success() => Ok(String::from_utf8_lossy(&out.stdout).into_owned()),
        Ok(out) => {
            let text = String::from_utf8_lossy(&out.stderr);
            Err(format!(
                "`{} {}` fails ({}): {}",
                program.display(),
                args.join(" "),
                out.status,
                text.trim_end()
                    .lines()
                    .last()
                    .unwrap_or("it prints nothing")
            ))
        }
        Err(error) => Err(format!("{error:#}")),
    }
}

/// `tools`, each identity once.
#[must_use]
pub fn distinct(tools: impl IntoIterator<Item = &'static Tool>) -> Vec<&'static Tool> {
    let mut seen = HashSet::new();
    tools
        .into_iter()
        .filter(|tool| seen.insert(tool.identity()))
        .collect()
}

/// The first thing in the text that looks like a version: `2.47` of `git version 2.47.3`.
pub fn parse_version(text: &str) -> Option<Version> {
    text.split(|c: char| c.is_whitespace() || "()".contains(c))
        .filter_map(|word| {
            let word = word.trim_start_matches('v');
            let mut parts = word.split(|c: char| !c.is_ascii_digit());
            let major = parts.next()?.parse().ok()?;
            let minor = parts.next()?.parse().ok()?;
            Some(Version(major, minor))
        })
        .next()
}

#[cfg(test)]
mod tests;
