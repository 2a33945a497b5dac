// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Checks `.github/workflows/` with actionlint, where it is installed.
//!
//! Debian has no package of actionlint, so `make test` skips this check on machines without it; the
//! pull-request workflow runs actionlint in a job of its own.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use fs_err as fs;

use crate::env::command::{capture, cmd, find, last_lines, shell_in};
use crate::env::context::Context;

/// The result of the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Linted {
    /// actionlint found nothing.
    Clean,
    /// What actionlint found.
    Findings(String),
    /// actionlint is not installed.
    NotInstalled,
}

/// Checks every workflow of the clone.
///
/// # Errors
///
/// Where the clone has no workflow, or actionlint cannot be run.
pub fn check(ctx: &Context) -> Result<Linted> {
    let files = workflows(&ctx.repo.join(".github/workflows"))?;
    match find("actionlint") {
        Some(actionlint) => lint(&actionlint, &files),
        None => Ok(Linted::NotInstalled),
    }
}

fn lint(actionlint: &Path, files: &[PathBuf]) -> Result<Linted> {
    let sh = shell_in("/")?;
    let out = capture(cmd!(sh, "{actionlint} -no-color {files...}"))?;
    match out.status.code() {
        Some(0) => Ok(Linted::Clean),
        Some(1) => Ok(Linted::Findings(format!(
            "actionlint reports:{}",
            last_lines(&out)
        ))),
        _ => bail!(
            "{} failed ({}){}",
            actionlint.display(),
            out.status,
            last_lines(&out)
        ),
    }
}

fn workflows(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|end| end == "yml" || end == "yaml")
        })
        .collect();
    ensure!(
        !paths.is_empty(),
        "{} holds no workflow; expected pull-request.yml and nightly.yml",
        folder.display()
    );
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::write_executable;

    /// What the check makes of an actionlint that is this script.
    fn with_actionlint(script: &str) -> Result<Linted> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("actionlint");
        write_executable(&path, format!("#!/bin/sh\n{script}\n"));
        lint(&path, &[PathBuf::from("a.yml"), PathBuf::from("b.yml")])
    }

    #[test]
    fn every_workflow_is_passed_to_actionlint() {
        let script = "[ \"$*\" = '-no-color a.yml b.yml' ] || exit 3";
        assert_eq!(with_actionlint(script).unwrap(), Linted::Clean);
    }

    #[test]
    fn findings_are_shown_and_other_failures_are_errors() {
        let found = with_actionlint("echo 'a.yml:6:1: unexpected key'; exit 1").unwrap();
        assert!(matches!(&found, Linted::Findings(text) if text.contains("a.yml:6:1")));
        let error = with_actionlint("echo broken >&2; exit 3").unwrap_err();
        assert!(error.to_string().contains("broken"), "{error}");
    }

    #[test]
    fn a_folder_without_workflows_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("README"), "").unwrap();
        let error = workflows(dir.path()).unwrap_err().to_string();
        assert!(error.contains("holds no workflow"), "{error}");
    }
}
