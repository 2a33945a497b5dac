// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Builds bpftool and libbpf's headers from the patched tree: for this machine, where bpftool writes
//! vmlinux.h, and for the guest, where it is tested.
//!
//! The cache key covers only the folders they are built from, so that a change of other kernel files
//! does not rebuild them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;

use crate::build::kernel::Kernel;
use crate::build::libelf;
use crate::build::sysroot;
use crate::env::atomic;
use crate::env::cache_key::Digest;
use crate::env::command::{self, cmd, shell_in};
use crate::env::context::{Arch, Context};
use crate::env::lock;
use crate::queue::gittree::GitTree;
use crate::queue::series::Series;
use crate::queue::source;

/// The files and folders that bpftool is built from.
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

/// A built bpftool.
#[derive(Clone, Debug)]
pub struct Bpftool {
    /// The program; static, because the guest has no libraries.
    pub path: PathBuf,
    /// The folder with `bpf/bpf_helpers.h` and the other headers of libbpf.
    pub include: PathBuf,
}

impl Bpftool {
    fn in_folder(dir: &Path) -> Bpftool {
        Bpftool {
            path: dir.join("bpftool"),
            include: dir.join("include"),
        }
    }

    fn is_complete(&self) -> bool {
        self.path.is_file() && self.include.join("bpf/bpf_helper_defs.h").is_file()
    }
}

/// A foreign architecture to build for.
struct Foreign {
    arch: Arch,
    /// Root folder of its libraries.
    sysroot: PathBuf,
}

/// Builds bpftool for this machine, or finds it in the cache: from the tree of `kernel` if that is
/// external, else from base and series.
pub fn build(ctx: &Context, kernel: &Kernel) -> Result<Bpftool> {
    build_for(ctx, kernel, None)
}

/// Builds bpftool for the guest.
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
    // links the key of the series to the entry, so that a lookup does not need the tree
    let of_series = cache.join(format!("series-{}", named(&key.key(), foreign)));
    let found = Bpftool::in_folder(&of_series);
    if found.is_complete() {
        return resolve(&of_series);
    }
    let tree = source.hold_tree(ctx)?;
    let commits = source.apply(&tree.git, &series)?;
    let commit = commits.last().map_or("base", String::as_str);
    let entry = cache.join(named(&content_key(&tree.git, commit)?, foreign));
    if !Bpftool::in_folder(&entry).is_complete() {
        tree.git.check_out(commit)?;
        publish(&make_for(ctx, tree.git.dir(), foreign)?, &cache, &entry)?;
    }
    atomic::symlink(&entry, &of_series)?;
    resolve(&of_series)
}

/// `name`, with the architecture appended if it is foreign.
fn named(name: &str, foreign: Option<&Foreign>) -> String {
    match foreign {
        Some(foreign) => format!("{name}-{}", foreign.arch),
        None => name.to_owned(),
    }
}

fn resolve(link: &Path) -> Result<Bpftool> {
    let dir = fs::canonicalize(link)?;
    Ok(Bpftool::in_folder(&dir))
}

/// Key of [`BUILT_FROM`] in `commit`.
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
    fs::create_dir_all(&out)?;
    // an empty list of features: no LLVM, libbfd or other optional library of this machine, and no time
    // spent on detecting them
    let features = out.join("no-features");
    fs::write(&features, "")?;
    let sh = shell_in(tree.join("tools/bpf/bpftool"))?;
    let (jobs, compiler) = (ctx.jobs.to_string(), compiler(foreign));
    let linker_flags = linker_flags(&libelf_folders(ctx, foreign)?);
    command::output(
        cmd!(
            sh,
            "make -j{jobs} OUTPUT={out}/ FEATURES_DUMP={features} {compiler...}
                EXTRA_LDFLAGS={linker_flags}"
        )
        .env("CCACHE_DIR", ctx.cache_dir("ccache")?),
    )
    .with_context(|| format!("{what} does not compile"))?;
    stage.done(format!("built {what}"));
    Ok(out)
}

/// The folders of libelf for the two programs that make links: bpftool, and its bootstrap program for this
/// machine. The linker skips a library of another architecture.
fn libelf_folders(ctx: &Context, foreign: Option<&Foreign>) -> Result<Vec<PathBuf>> {
    let own = libelf::folder(ctx, Arch::of_this_machine()?, None)?;
    let other = match foreign {
        Some(Foreign { arch, sysroot }) => libelf::folder(ctx, *arch, Some(sysroot))?,
        None => None,
    };
    Ok(other.into_iter().chain(own).collect())
}

/// Flags to link with libelf of `folders`.
fn linker_flags(folders: &[PathBuf]) -> String {
    let folders: String = folders
        .iter()
        .map(|dir| format!(" -L{}", dir.display()))
        .collect();
    format!("-static{folders}")
}

/// Variables of make for the compiler.
fn compiler(foreign: Option<&Foreign>) -> Vec<String> {
    let Some(Foreign { arch, sysroot }) = foreign else {
        return vec!["CC=ccache gcc".to_owned()];
    };
    let arch = arch.names();
    vec![
        format!("ARCH={}", arch.kernel),
        format!("CROSS_COMPILE={}", arch.cross),
        // the sysroot as part of the compiler applies to libbpf and to linking as well
        format!(
            "CC=ccache {}gcc --sysroot={}",
            arch.cross,
            sysroot.display()
        ),
    ]
}

/// Copies the built files into the cache.
fn publish(out: &Path, cache: &Path, entry: &Path) -> Result<()> {
    let new = atomic::new_folder(cache)?;
    let (sh, to) = (shell_in(out)?, new.path());
    command::output(cmd!(sh, "cp --recursive bpftool libbpf/include {to}"))?;
    atomic::publish(new, entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_bpftool_has_its_own_compiler_and_entry() {
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
        assert_eq!(linker_flags(&[]), "-static");
        assert_eq!(
            linker_flags(&["/a".into(), "/b".into()]),
            "-static -L/a -L/b"
        );
        assert_eq!(named("0123", Some(&foreign)), "0123-arm64");
        assert_eq!(named("0123", None), "0123");
    }
}
