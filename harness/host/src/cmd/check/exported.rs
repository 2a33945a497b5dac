// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Tools accept what `make export` writes, and the result is the tree of the series.
//!
//! The tools get only the files of the base that the series touches, since they read no others.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;
use xshell::Cmd;

use super::{Checkout, Findings};
use crate::env::cache_key::Digest;
use crate::env::command::{capture, command, last_lines, shell_in};
use crate::queue::export::{self, Exported};
use crate::queue::gittree::GitTree;
use crate::queue::series::Series;

/// Checks the export of `series`.
pub fn check(checkout: &Checkout<'_>, series: &Series, findings: &mut Findings) -> Result<()> {
    let mut key = Digest::default();
    key.add("exported", checkout.tree.run(["rev-parse", "base^{tree}"])?);
    for name in ["0000-cover-letter.patch", "series"] {
        let path = series.dir.join(name);
        let text = fs::read(&path)?;
        key.add(name, text);
    }
    for patch in &series.patches {
        key.add(&patch.name, &patch.text);
    }
    checkout
        .once(&key, findings, || try_all(checkout, series))
        .map(drop)
}

fn try_all(checkout: &Checkout<'_>, series: &Series) -> Result<Vec<String>> {
    let stage = checkout.ctx.progress.stage("check", "exporting");
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let dir = |name: &str| scratch.path().join(name);
    let exported = match export::write(series, &checkout.ctx.base, &dir("export")) {
        Ok(exported) => exported,
        Err(error) => return Ok(vec![format!("export: {error:#}")]),
    };
    let touched = checkout.touched("base", super::SERIES)?;
    let touched: Vec<&str> = touched.iter().map(String::as_str).collect();
    checkout.unpack(super::SERIES, &touched, &dir("expected"))?;
    let tools: [(&str, Taker); 3] = [
        ("quilt push -a --fuzz=0", quilt),
        ("dpkg-source --before-build", dpkg_source),
        ("git am", git_am),
    ];
    let mut wrong = Vec::new();
    for (at, (name, take)) in tools.iter().enumerate() {
        let tree = dir(&format!("tree-{at}"));
        checkout.unpack("base", &touched, &tree)?;
        if let Some(fault) = take(&exported, &tree)? {
            wrong.push(format!("export: {name} does not take it:{fault}"));
        } else if files(&tree)? != files(&dir("expected"))? {
            wrong.push(format!(
                "export: {name} takes it, but what comes out is not the tree of the series"
            ));
        }
    }
    if wrong.is_empty() {
        stage.done("quilt, dpkg-source and git am take the export");
    }
    Ok(wrong)
}

/// Applies an export to a tree; returns why that failed.
type Taker = fn(&Exported, &Path) -> Result<Option<String>>;

fn quilt(exported: &Exported, tree: &Path) -> Result<Option<String>> {
    let sh = shell_in(tree)?;
    let push = ["--quiltrc", "/dev/null", "push", "-a", "--fuzz=0"];
    refused(
        command(&sh, "quilt")
            .args(push)
            .env("QUILT_PATCHES", &exported.quilt),
    )
}

fn dpkg_source(exported: &Exported, tree: &Path) -> Result<Option<String>> {
    let debian = tree.join("debian");
    let write = |name: &str, text: &str| -> Result<()> {
        let path = debian.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&debian))?;
        Ok(fs::write(&path, text)?)
    };
    write("source/format", "3.0 (quilt)\n")?;
    write(
        "control",
        "Source: linux\nMaintainer: A <a@example.org>\n\nPackage: linux\nArchitecture: any\n",
    )?;
    write(
        "changelog",
        "linux (6.12-1) unstable; urgency=low\n\n  * A.\n\n -- A <a@example.org>  \
         Thu, 01 Jan 1970 00:00:00 +0000\n",
    )?;
    let sh = shell_in(tree)?;
    crate::env::command::output(
        command(&sh, "cp")
            .arg("--recursive")
            .arg(&exported.quilt)
            .arg("debian/patches"),
    )?;
    let fault = refused(command(&sh, "dpkg-source").args(["--before-build", "."]))?;
    fs::remove_dir_all(&debian)?;
    Ok(fault)
}

fn git_am(exported: &Exported, tree: &Path) -> Result<Option<String>> {
    let git = GitTree::import(tree, "the files that the series changes")?;
    refused(git.git_as_user(["am", "--quiet"])?.arg(&exported.mbox))
}

/// Runs `cmd`; returns its output where it failed.
fn refused(cmd: Cmd<'_>) -> Result<Option<String>> {
    let out = capture(cmd)?;
    Ok((!out.status.success()).then(|| last_lines(&out)))
}

/// Every file of `tree` with its content, without the state of the tools.
fn files(tree: &Path) -> Result<BTreeSet<(String, Vec<u8>)>> {
    const OWN: [&str; 2] = [".git", ".pc"];
    let mut files = BTreeSet::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if OWN.iter().any(|own| path.ends_with(own)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read(&path)?;
            let name = path.strip_prefix(tree).unwrap_or(&path);
            files.insert((name.display().to_string(), text));
        }
    }
    Ok(files)
}
