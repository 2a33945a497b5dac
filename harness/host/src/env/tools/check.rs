// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Checks whether a tool works.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::python::{self, Importer};
use super::{Proof, Tool, ToolKind, Version};
use crate::env::command::{self, capture, cmd, shell_in};
use crate::env::elf::{self, Linkage};

/// Compiles and links; also passed to the makes of the kernel and of bpftool.
pub const COMPILER: &str = "gcc";

/// A check takes a few seconds; one that hangs is killed after this many.
const TIMEOUT: &str = "60";

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolState {
    /// The tool works.
    Good(Option<Version>),
    /// The tool at this path is too old.
    TooOld(PathBuf, Version),
    /// The tool was not found.
    Missing,
    /// The tool fails its check with this message.
    Broken(String),
}

impl ToolState {
    /// Whether the tool can be used.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self, ToolState::Good(_))
    }
}

/// The result of a check and the files it depends on: while they do not change, neither does the
/// result.
#[derive(Clone, Debug)]
pub struct CheckedTool {
    /// The result.
    pub state: ToolState,
    /// The files that the result depends on.
    pub files: Vec<PathBuf>,
}

impl Tool {
    /// Checks the tool with the programs in [`command::search_path`].
    #[must_use]
    pub fn check(&self) -> CheckedTool {
        self.check_in(&command::search_path())
    }

    /// Checks the tool with the programs in the folders of `path`, which has the form of `PATH`.
    #[must_use]
    pub fn check_in(&self, path: &OsStr) -> CheckedTool {
        let Some(program) = self.runs(path) else {
            return CheckedTool {
                state: ToolState::Missing,
                files: Vec::new(),
            };
        };
        let mut files = vec![program.clone()];
        let state = match &self.proof {
            Proof::Run {
                args,
                input,
                output,
            } => self.check_program(&program, path, args, input, output),
            Proof::Link { source, args } => check_library(path, source, args, &mut files),
            Proof::Import(importer) => self.check_module(*importer, &mut files),
        };
        CheckedTool { state, files }
    }

    fn check_program(
        &self,
        program: &Path,
        path: &OsStr,
        args: &[String],
        input: &str,
        output: &str,
    ) -> ToolState {
        let check = || -> Result<ToolState, String> {
            if self.kind() == ToolKind::StaticProgram {
                ensure_static(program)?;
            }
            let version = match self.minimum {
                Some(_) => Some(version_of(program, path)?),
                None => None,
            };
            if let (Some(version), Some(minimum)) = (version, self.minimum)
                && version < minimum
            {
                return Ok(ToolState::TooOld(program.to_owned(), version));
            }
            let printed = run(program, path, args, input)?;
            if printed.contains(output) {
                return Ok(ToolState::Good(version));
            }
            Err(format!(
                "`{} {}` prints {:?}, expected {output:?}",
                program.display(),
                args.join(" "),
                printed.lines().next().unwrap_or_default()
            ))
        };
        check().unwrap_or_else(ToolState::Broken)
    }

    fn check_module(&self, importer: Importer, files: &mut Vec<PathBuf>) -> ToolState {
        let python = match importer {
            Importer::Scripts => python::of_scripts(),
            Importer::Venv => python::for_venv().or_else(python::of_scripts),
        };
        let Some(python) = python else {
            return ToolState::Missing;
        };
        files.push(python.clone());
        match python::file_of(&python, &self.name) {
            Ok(file) => {
                files.push(file);
                ToolState::Good(None)
            }
            Err(message) => ToolState::Broken(message),
        }
    }
}

fn ensure_static(program: &Path) -> Result<(), String> {
    match elf::linkage(program) {
        Ok(Linkage::Static) => Ok(()),
        Ok(_) => Err(format!("{} is not static", program.display())),
        Err(error) => Err(format!("{error:#}")),
    }
}

fn version_of(program: &Path, path: &OsStr) -> Result<Version, String> {
    let printed = run(program, path, &["--version".to_owned()], "")?;
    parse_version(&printed).ok_or_else(|| {
        format!(
            "{} --version prints no version: {}",
            program.display(),
            printed.lines().next().unwrap_or_default()
        )
    })
}

/// Links a program with a library, and adds the headers and libraries that this used to `files`.
fn check_library(
    path: &OsStr,
    source: &str,
    args: &[String],
    files: &mut Vec<PathBuf>,
) -> ToolState {
    match link(path, source, args) {
        Ok(Ok(printed)) => {
            files.extend(absolute_paths(&printed));
            ToolState::Good(None)
        }
        Ok(Err(stderr)) => {
            let error = stderr
                .lines()
                .find(|line| line.contains("error") || line.contains("cannot find"))
                .or_else(|| stderr.lines().last());
            ToolState::Broken(error.unwrap_or("it does not link").trim().to_owned())
        }
        Err(error) => ToolState::Broken(format!("{error:#}")),
    }
}

/// Compiles and links `source`. Returns what the compiler printed, or its standard error where it
/// fails.
fn link(path: &OsStr, source: &str, args: &[String]) -> anyhow::Result<Result<String, String>> {
    let scratch = tempfile::tempdir()?;
    let sh = shell_in(scratch.path())?;
    fs::write(scratch.path().join("probe.c"), source)?;
    // the linker prints the files that it opens, the compiler the headers that it reads
    let out = capture(
        cmd!(sh, "{COMPILER} probe.c -o probe {args...} -H -Wl,--trace").env("PATH", path),
    )?;
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    if !out.status.success() {
        return Ok(Err(stderr));
    }
    let stdout = String::from_utf8_lossy(&out.stdout);
    Ok(Ok(format!("{stdout}\n{stderr}")))
}

/// The paths in what gcc prints with `-H` and ld with `--trace`: `.. /usr/include/x.h`,
/// `/usr/lib/libx.a`, `(/usr/lib/libx.a)member.o`.
pub(super) fn absolute_paths(printed: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = printed
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

/// Runs a program. Returns its standard output, or the last line of its standard error.
fn run(program: &Path, path: &OsStr, args: &[String], input: &str) -> Result<String, String> {
    let result = shell_in("/").and_then(|sh| {
        capture(
            cmd!(sh, "timeout --kill-after=5 {TIMEOUT} {program} {args...}")
                .env("PATH", path)
                .stdin(input),
        )
    });
    match result {
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

/// The first version number in `text`: `2.47` of `git version 2.47.3`.
pub(super) fn parse_version(text: &str) -> Option<Version> {
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
