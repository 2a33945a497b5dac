// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Builds bpftool and libbpf's headers out of the patched tree.
//!
//! The key of the cache is what these are built from, not the whole series: an edit of the kernel
//! does not build them anew.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::{self, command, shell_in};
use crate::context::Context;
use crate::digest::Digest;
use crate::gittree::GitTree;
use crate::kernel::Kernel;
use crate::lock;
use crate::series::Series;
use crate::source;

/// What bpftool is built from.
const BUILT_FROM: &[&str] = &[
    "include/uapi",
    "kernel/bpf/disasm.c",
    "kernel/bpf/disasm.h",
    "scripts/bpf_doc.py",
    "tools/arch",
    "tools/bpf/bpftool",
    "tools/build",
    "tools/include",
    "tools/lib",
    "tools/scripts",
];

/// bpftool of the patched tree, and what was built on the way.
#[derive(Clone, Debug)]
pub struct Bpftool {
    /// The program: static, so that it also runs in a guest whose root holds nothing else.
    pub path: PathBuf,
    /// The folder that holds `bpf/bpf_helpers.h` and libbpf's other headers.
    pub include: PathBuf,
}

impl Bpftool {
    fn in_folder(dir: &Path) -> Bpftool {
        Bpftool {
            path: dir.join("bpftool"),
            include: dir.join("include"),
        }
    }

    fn is_whole(&self) -> bool {
        self.path.is_file() && self.include.join("bpf/bpf_helper_defs.h").is_file()
    }
}

/// Builds bpftool, or finds it built: from the tree that `kernel` was built from where that is the
/// user's, else from base and series.
pub fn build(ctx: &Context, kernel: &Kernel) -> Result<Bpftool> {
    if let Some(tree) = &kernel.source {
        let _lock = lock::take(&tree.join(".build-bpf-streams.lock"), ctx.progress)?;
        let out = make(ctx, tree)?;
        return Ok(Bpftool {
            path: out.join("bpftool"),
            include: out.join("libbpf/include"),
        });
    }
    of_series(ctx)
}

fn of_series(ctx: &Context) -> Result<Bpftool> {
    let cache = ctx.cache_dir("bpftool")?;
    let source = source::find(ctx)?;
    let series = Series::load(&ctx.patches())?;
    let mut key = Digest::default();
    key.add("version", &source.version);
    key.add("series", series.key());
    // which of the entries a series has: to be asked without the tree
    let of_series = cache.join(format!("series-{}", key.key()));
    let found = Bpftool::in_folder(&of_series);
    if found.is_whole() {
        return resolve(&of_series);
    }
    let tree = source.hold_tree(ctx)?;
    let commits = source.apply(&tree.git, &series)?;
    let commit = commits.last().map_or("base", String::as_str);
    let entry = cache.join(content_key(&tree.git, commit)?);
    if !Bpftool::in_folder(&entry).is_whole() {
        tree.git.check_out(commit)?;
        publish(&make(ctx, tree.git.dir())?, &cache, &entry)?;
    }
    let _ = fs::remove_file(&of_series);
    symlink(&entry, &of_series)
        .with_context(|| format!("cannot link {} to {}", of_series.display(), entry.display()))?;
    resolve(&of_series)
}

fn resolve(link: &Path) -> Result<Bpftool> {
    let dir =
        fs::canonicalize(link).with_context(|| format!("cannot follow {}", link.display()))?;
    Ok(Bpftool::in_folder(&dir))
}

/// Key of what bpftool is built from in `commit`.
fn content_key(git: &GitTree, commit: &str) -> Result<String> {
    let mut digest = Digest::default();
    for path in BUILT_FROM {
        digest.add(path, git.run(["rev-parse", &format!("{commit}:{path}")])?);
    }
    Ok(digest.key())
}

/// Builds in a folder of `tree`, and returns it.
pub fn make(ctx: &Context, tree: &Path) -> Result<PathBuf> {
    let stage = ctx.progress.stage("bpftool", "building bpftool");
    let out = tree.join(".build-bpftool");
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    // an empty list of features: no LLVM, no libbfd, nothing else that this machine may or may
    // not have, and no time spent on looking for them
    let features = out.join("no-features");
    fs::write(&features, "").with_context(|| format!("cannot write {}", features.display()))?;
    let sh = shell_in(tree.join("tools/bpf/bpftool"))?;
    command::output(
        command(&sh, "make")
            .env("CCACHE_DIR", ctx.cache_dir("ccache")?)
            .arg(format!("-j{}", ctx.jobs))
            .arg(format!("OUTPUT={}/", out.display()))
            .arg(format!("FEATURES_DUMP={}", features.display()))
            .arg("CC=ccache gcc")
            .arg("EXTRA_LDFLAGS=-static"),
    )
    .context("bpftool does not compile")?;
    stage.done("built bpftool");
    Ok(out)
}

/// Puts what was built into the cache; the entry gets its name when all of it is there.
fn publish(out: &Path, cache: &Path, entry: &Path) -> Result<()> {
    let new = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(cache)
        .with_context(|| format!("cannot write to {}", cache.display()))?;
    let sh = shell_in(out)?;
    command::output(
        command(&sh, "cp")
            .args(["--recursive", "bpftool", "libbpf/include"])
            .arg(new.path()),
    )?;
    if entry.exists() {
        fs::remove_dir_all(entry).with_context(|| format!("cannot remove {}", entry.display()))?;
    }
    fs::rename(new.keep(), entry).with_context(|| format!("cannot write {}", entry.display()))
}
