// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Builds bpftool and libbpf's headers out of the patched tree: for this machine, where bpftool
//! writes a header, and for the guest, where it is tested.
//!
//! The key of the cache is what these are built from, not the whole series: an edit of the kernel
//! does not build them anew.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::build::kernel::Kernel;
use crate::build::libelf;
use crate::build::sysroot;
use crate::env::cache_key::Digest;
use crate::env::command::{self, command, shell_in};
use crate::env::context::{Arch, Context};
use crate::env::lock;
use crate::queue::gittree::GitTree;
use crate::queue::series::Series;
use crate::queue::source;

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

/// Another architecture than this machine's, which bpftool is built for.
struct Foreign {
    arch: Arch,
    /// Where its libraries are.
    sysroot: PathBuf,
}

/// Builds bpftool for this machine, or finds it built: from the tree that `kernel` was built from
/// where that is the user's, else from base and series.
pub fn build(ctx: &Context, kernel: &Kernel) -> Result<Bpftool> {
    build_for(ctx, kernel, None)
}

/// The same for the guest.
pub fn build_for_guest(ctx: &Context, kernel: &Kernel) -> Result<Bpftool> {
    let foreign = sysroot::find(ctx)?.map(|sysroot| Foreign {
        arch: ctx.arch,
        sysroot,
    });
    build_for(ctx, kernel, foreign.as_ref())
}

fn build_for(ctx: &Context, kernel: &Kernel, foreign: Option<&Foreign>) -> Result<Bpftool> {
    if let Some(tree) = &kernel.source {
        let _lock = lock::take(&tree.join(".build-bpf-streams.lock"), ctx.progress)?;
        let out = make_for(ctx, tree, foreign)?;
        return Ok(Bpftool {
            path: out.join("bpftool"),
            include: out.join("libbpf/include"),
        });
    }
    of_series(ctx, foreign)
}

fn of_series(ctx: &Context, foreign: Option<&Foreign>) -> Result<Bpftool> {
    let cache = ctx.cache_dir("bpftool")?;
    let source = source::find(ctx)?;
    let series = Series::load(&ctx.patches())?;
    let mut key = Digest::default();
    key.add("version", &source.package.version);
    key.add("series", series.key());
    // which of the entries a series has: to be asked without the tree
    let of_series = cache.join(format!("series-{}", named(&key.key(), foreign)));
    let found = Bpftool::in_folder(&of_series);
    if found.is_whole() {
        return resolve(&of_series);
    }
    let tree = source.hold_tree(ctx)?;
    let commits = source.apply(&tree.git, &series)?;
    let commit = commits.last().map_or("base", String::as_str);
    let entry = cache.join(named(&content_key(&tree.git, commit)?, foreign));
    if !Bpftool::in_folder(&entry).is_whole() {
        tree.git.check_out(commit)?;
        publish(&make_for(ctx, tree.git.dir(), foreign)?, &cache, &entry)?;
    }
    let _ = fs::remove_file(&of_series);
    symlink(&entry, &of_series)
        .with_context(|| format!("cannot link {} to {}", of_series.display(), entry.display()))?;
    resolve(&of_series)
}

/// The name, marked with the architecture where that is foreign.
fn named(name: &str, foreign: Option<&Foreign>) -> String {
    match foreign {
        Some(foreign) => format!("{name}-{}", foreign.arch),
        None => name.to_owned(),
    }
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

/// Builds for this machine in a folder of `tree`, and returns the folder.
pub fn make(ctx: &Context, tree: &Path) -> Result<PathBuf> {
    make_for(ctx, tree, None)
}

fn make_for(ctx: &Context, tree: &Path, foreign: Option<&Foreign>) -> Result<PathBuf> {
    let what = named("bpftool", foreign);
    let stage = ctx.progress.stage("bpftool", format!("building {what}"));
    let out = tree.join(format!(".build-{what}"));
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
            .args(compiler(foreign))
            .arg(format!(
                "EXTRA_LDFLAGS={}",
                linker(&libelf_folders(ctx, foreign)?)
            )),
    )
    .with_context(|| format!("{what} does not compile"))?;
    stage.done(format!("built {what}"));
    Ok(out)
}

/// The folders of libelf for the two programs that make links: bpftool, and the one for this machine
/// that is run on the way. The linker passes over a library of another architecture.
fn libelf_folders(ctx: &Context, foreign: Option<&Foreign>) -> Result<Vec<PathBuf>> {
    let own = libelf::folder(ctx, Arch::of_this_machine()?, None)?;
    let other = match foreign {
        Some(Foreign { arch, sysroot }) => libelf::folder(ctx, *arch, Some(sysroot))?,
        None => None,
    };
    Ok(other.into_iter().chain(own).collect())
}

/// What tells make how to link.
fn linker(folders: &[PathBuf]) -> String {
    let folders: String = folders
        .iter()
        .map(|dir| format!(" -L{}", dir.display()))
        .collect();
    format!("-static{folders}")
}

/// What tells make which compiler to take.
fn compiler(foreign: Option<&Foreign>) -> Vec<String> {
    let Some(Foreign { arch, sysroot }) = foreign else {
        return vec!["CC=ccache gcc".to_owned()];
    };
    let arch = arch.names();
    vec![
        format!("ARCH={}", arch.kernel),
        format!("CROSS_COMPILE={}", arch.cross),
        // with the compiler, so that libbpf is compiled and bpftool is linked with it as well
        format!(
            "CC=ccache {}gcc --sysroot={}",
            arch.cross,
            sysroot.display()
        ),
    ]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_bpftool_has_its_own_compiler_and_place() {
        let foreign = Foreign {
            arch: Arch::Arm64,
            sysroot: "/cache/sysroot/arm64".into(),
        };
        assert_eq!(
            compiler(Some(&foreign)),
            [
                "ARCH=arm64",
                "CROSS_COMPILE=aarch64-linux-gnu-",
                "CC=ccache aarch64-linux-gnu-gcc --sysroot=/cache/sysroot/arm64",
            ]
        );
        assert_eq!(linker(&[]), "-static");
        assert_eq!(linker(&["/a".into(), "/b".into()]), "-static -L/a -L/b");
        assert_eq!(named("0123", Some(&foreign)), "0123-arm64");
        assert_eq!(named("0123", None), "0123");
    }
}
