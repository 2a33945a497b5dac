// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs sparse, which checks the kernel's annotations of pointers, locks and constants.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::targets;
use super::warnings::{self, Warning};
use crate::build::kernel::Build;
use crate::env::arch::Arch;
use crate::env::progress::ProgressStage;

/// Runs sparse on those of `sources` that were built, and returns its warnings.
pub fn run(
    build: &Build<'_>,
    tree: &Path,
    sources: &BTreeSet<String>,
    arch: Arch,
    stage: &ProgressStage,
) -> Result<Vec<Warning>> {
    let objects = targets::objects(build.out(), sources, arch);
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    // C=2 also checks files that are already compiled
    let arguments = objects.iter().map(String::as_str).chain(["C=2"]);
    build
        .make(&arguments.collect::<Vec<_>>(), stage)
        .context("cannot run sparse; `make doctor` shows how to install it")?;
    let log = fs::read(build.log())?;
    let mut found = warnings::read(&String::from_utf8_lossy(&log), &warnings::OF_COMPILERS);
    found.retain(|warning| !is_kfunc(warning, tree));
    Ok(found)
}

/// A kfunc has no declaration, because only programs call it. `__bpf_kfunc_start_defs()` disables the
/// compiler's warning, but not that of sparse.
fn is_kfunc(warning: &Warning, tree: &Path) -> bool {
    if !warning
        .to_string()
        .ends_with("was not declared. Should it be static?")
    {
        return false;
    }
    let text = fs::read(tree.join(&warning.file)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .nth(warning.line.saturating_sub(1))
        .is_some_and(|line| line.starts_with("__bpf_kfunc "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kfuncs_need_no_declaration_and_others_do() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(
            tree.path().join("a.c"),
            "__bpf_kfunc int k(void)\nint f(void)\n",
        )
        .unwrap();
        let is_reported = |line: usize, text: &str| {
            let log = format!("../a.c:{line}:5: warning: symbol 'x' {text}\n");
            is_kfunc(
                &warnings::read(&log, &warnings::OF_COMPILERS)[0],
                tree.path(),
            )
        };
        let undeclared = "was not declared. Should it be static?";
        assert!(is_reported(1, undeclared));
        assert!(!is_reported(2, undeclared));
        assert!(!is_reported(1, "is shadowed"));
        assert!(!is_reported(9, undeclared));
    }
}
