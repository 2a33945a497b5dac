// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The documentation that the series touches builds: sphinx has no new warning in its folders (`make
//! htmldocs SPHINXDIRS=…`), and rst2man none in bpftool's manual pages.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::warnings::{self, Warning};
use super::{Checkout, Findings};
use crate::build::kernel::Build;
use crate::env::cache_key::Digest;
use crate::env::command::{capture, cmd, last_lines, shell_in};

/// The folder of the kernel's documentation.
const DOCUMENTATION: &str = "Documentation/";

/// The folder of bpftool's manual pages.
const MANUAL: &str = "tools/bpf/bpftool/Documentation";

/// The marks of warnings of sphinx and of `kernel-doc`, which reads comments in sources.
const MARKS: [&str; 4] = [" WARNING: ", " ERROR: ", " CRITICAL: ", " warning: "];

/// Builds the documentation that the series touches.
pub fn check(checkout: &Checkout<'_>, findings: &mut Findings) -> Result<()> {
    let touched = checkout.touched("base", super::SERIES)?;
    let folders = folders(&touched);
    // the documentation may include comments of any source
    let mut key = Digest::default();
    key.add("rendered", MARKS.concat());
    for state in ["base", super::SERIES] {
        let files = checkout
            .tree
            .run(["rev-parse", &format!("{state}^{{tree}}")])?;
        key.add("files", files);
    }
    if !folders.is_empty() {
        key.add("what", "html");
        checkout.once(&key, findings, || html(checkout, &folders))?;
    }
    if touched.iter().any(|file| file.starts_with(MANUAL)) {
        key.add("what", "manual pages");
        checkout.once(&key, findings, || manual_pages(checkout))?;
    }
    Ok(())
}

/// The touched folders for sphinx, without folders inside of others.
fn folders(touched: &BTreeSet<String>) -> BTreeSet<&str> {
    let all: BTreeSet<&str> = touched
        .iter()
        .filter_map(|file| file.strip_prefix(DOCUMENTATION)?.rsplit_once('/'))
        .map(|(folder, _)| folder)
        .collect();
    let lies_in = |folder: &str, other: &&str| folder.starts_with(&format!("{other}/"));
    let inner = |folder: &&str| all.iter().any(|other| lies_in(folder, other));
    all.iter().copied().filter(|f| !inner(f)).collect()
}

fn html(checkout: &Checkout<'_>, folders: &BTreeSet<&str>) -> Result<Vec<String>> {
    let known = match sphinx(checkout, "base", folders)? {
        Ok(said) => warnings::new(said.iter(), &[]),
        Err(fault) => return Ok(vec![format!("documentation of the base: {fault}")]),
    };
    Ok(match sphinx(checkout, super::SERIES, folders)? {
        Ok(said) => warnings::new(said.iter(), &known)
            .iter()
            .map(|text| format!("documentation: new warning: {text}"))
            .collect(),
        Err(fault) => vec![format!("documentation: {fault}")],
    })
}

/// The warnings of sphinx for `folders` in `commit`, or why it failed.
fn sphinx(
    checkout: &Checkout<'_>,
    commit: &str,
    folders: &BTreeSet<&str>,
) -> Result<Result<Vec<Warning>, String>> {
    checkout.tree.check_out(commit)?;
    let tree = checkout.tree.dir();
    let build = Build::named(checkout.ctx, tree, "html");
    // sphinx repeats no warning for files that it has read earlier
    build.remove()?;
    fs::create_dir_all(build.out())?;
    let names: Vec<&str> = folders.iter().copied().collect();
    let stage = checkout
        .ctx
        .progress
        .stage("check", format!("rendering {}", names.join(", ")));
    let dirs = format!("SPHINXDIRS={}", names.join(" "));
    if let Err(error) = build.make(&["htmldocs", &dirs], &stage) {
        return Ok(Err(format!("{error:#}")));
    }
    let log = fs::read(build.log())?;
    // without sphinx, the kernel's make skips the target and succeeds
    let output = build.out().join("Documentation/output");
    for folder in folders {
        let index = output.join(folder).join("index.html");
        if !index.is_file() {
            let shown = build.log().display();
            return Ok(Err(format!(
                "`make htmldocs {dirs}` has not written {}; see {shown}",
                index.display()
            )));
        }
    }
    stage.done(format!("rendered {}", names.join(", ")));
    let said = String::from_utf8_lossy(&log).replace(&format!("{}/", tree.display()), "");
    Ok(Ok(warnings::read(&said, &MARKS)))
}

/// Builds bpftool's manual pages; a warning is a failure.
fn manual_pages(checkout: &Checkout<'_>) -> Result<Vec<String>> {
    checkout.tree.check_out(super::SERIES)?;
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let sh = shell_in(checkout.tree.dir().join(MANUAL))?;
    let output = scratch.path();
    let make = cmd!(sh, "make OUTPUT={output}/ man").env("RST2MAN_OPTS", "--halt=warning");
    let out = capture(make)?;
    if out.status.success() {
        return Ok(Vec::new());
    }
    Ok(vec![format!(
        "bpftool's manual pages: `make man` in {MANUAL} failed ({}){}",
        out.status,
        last_lines(&out)
    )])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sphinx_is_given_the_outermost_folders_of_the_documentation() {
        let touched = [
            "Documentation/admin-guide/sysctl/kernel.rst",
            "Documentation/bpf/standardization/instruction-set.rst",
            "Documentation/bpf/streams.rst",
            "Documentation/bpfilter/a.rst",
            "kernel/bpf/stream.c",
        ];
        let touched: BTreeSet<String> = touched.map(str::to_owned).into();
        let folders: Vec<&str> = folders(&touched).into_iter().collect();
        assert_eq!(folders, ["admin-guide/sysctl", "bpf", "bpfilter"]);
    }
}
