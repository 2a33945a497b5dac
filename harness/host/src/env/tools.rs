// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The tools of the machine that the harness calls: which versions work, and whether they work.
//!
//! A tool is checked by what it is used for: a program is run, a library is linked by the compiler
//! that will link it, a Python module is imported by the interpreter that will import it.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Deserialize;

mod check;
pub mod python;
mod table;

use check::COMPILER;
pub use check::ToolState;
use python::Importer;
#[cfg(test)]
pub use table::every;
pub use table::{Origin, Purpose, distinct, needed, needed_for, of};

/// An entry of `ci/tools.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Name of the program, library or Python module.
    pub name: String,
    /// The purposes that need the tool.
    #[serde(rename = "for")]
    pub purposes: Vec<Purpose>,
    /// The oldest version that works, where the version matters.
    #[serde(default)]
    pub minimum: Option<Version>,
    /// Whether the program must not need a library.
    #[serde(default, rename = "static")]
    pub is_static: bool,
    /// How to check that the tool works.
    #[serde(default)]
    pub proof: Proof,
    /// Debian's package.
    pub package: String,
    /// What the harness uses the tool for.
    pub why: String,
}

/// What a tool is. Tools of different kinds may have the same name: the program `git` and the Python
/// module `git` come in different packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToolKind {
    /// A program on the search path.
    Program,
    /// A program on the search path that needs no library: it is copied into guests.
    StaticProgram,
    /// A library and its headers.
    Library,
    /// A module that a Python interpreter imports.
    PythonModule,
}

impl fmt::Display for ToolKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ToolKind::Program => "program",
            ToolKind::StaticProgram => "static program",
            ToolKind::Library => "library",
            ToolKind::PythonModule => "Python module",
        })
    }
}

/// How to check that a tool works.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Proof {
    /// The program succeeds with these arguments and this input, and its output contains `output`.
    Run {
        /// Arguments.
        args: Vec<String>,
        /// Standard input.
        #[serde(default)]
        input: String,
        /// A part of standard output.
        #[serde(default)]
        output: String,
    },
    /// gcc compiles this program and links it with these arguments.
    Link {
        /// Source of the program, in C.
        source: String,
        /// Arguments behind the source.
        args: Vec<String>,
    },
    /// A Python interpreter imports the module.
    Import(Importer),
}

impl Default for Proof {
    /// `--version` succeeds.
    fn default() -> Proof {
        Proof::Run {
            args: vec!["--version".to_owned()],
            input: String::new(),
            output: String::new(),
        }
    }
}

/// Major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Version(pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl TryFrom<String> for Version {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Version> {
        let (major, minor) = text
            .split_once('.')
            .with_context(|| format!("`{text}` is not MAJOR.MINOR"))?;
        Ok(Version(major.parse()?, minor.parse()?))
    }
}

impl Tool {
    /// What the tool is.
    #[must_use]
    pub fn kind(&self) -> ToolKind {
        match self.proof {
            Proof::Run { .. } if self.is_static => ToolKind::StaticProgram,
            Proof::Run { .. } => ToolKind::Program,
            Proof::Link { .. } => ToolKind::Library,
            Proof::Import(_) => ToolKind::PythonModule,
        }
    }

    /// Distinguishes the tool from every other one of the table.
    #[must_use]
    pub fn identity(&self) -> (ToolKind, &str) {
        (self.kind(), &self.name)
    }

    /// Whether the tool is a program, which runs from any folder; compilers and interpreters find
    /// libraries and modules only in their own folders.
    #[must_use]
    pub fn is_program(&self) -> bool {
        matches!(self.proof, Proof::Run { .. })
    }

    /// The file that is run to use the tool: the program, the compiler, or the interpreter.
    #[must_use]
    pub fn runs(&self, path: &OsStr) -> Option<PathBuf> {
        let find = |name| which::which_in(name, Some(path), "/").ok();
        match self.proof {
            Proof::Run { .. } => find(self.name.as_str()),
            Proof::Link { .. } => find(COMPILER),
            Proof::Import(Importer::Scripts) => python::of_scripts(),
            Proof::Import(Importer::Venv) => python::of_scripts().or_else(|| find("python3")),
        }
    }
}

#[cfg(test)]
mod tests;
