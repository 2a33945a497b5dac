// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The kernel of a guest: built from base and series, or external (`KERNEL=`).
//!
//! A kernel of the series is built incrementally, in a folder of the cache's tree, and stored under a key
//! of everything it depends on: clones with equal inputs build it once.

use std::path::PathBuf;

use anyhow::Result;
use fs_err as fs;

use crate::build::kconfig::{self, Requests};
use crate::env::atomic;
use crate::env::context::Context;
use crate::queue::series::Series;
use crate::queue::source::{self, Source};

mod build;
mod external;
mod store;

pub(crate) use build::Build;
pub(crate) use external::is_to_be_built;
use store::KernelStore;

/// A built kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The image that QEMU boots.
    pub image: PathBuf,
    /// The ELF file with symbols and BTF.
    pub vmlinux: PathBuf,
    /// The resolved configuration.
    pub config: PathBuf,
    /// The tree of an external kernel, if bpftool must be built from it.
    pub source: Option<PathBuf>,
    /// Debian's source package and version, if built from base and series.
    pub package: Option<String>,
    /// The folder of these three files.
    pub build_dir: PathBuf,
    /// `uname -r`, for example `6.12.117-bpf-streams`.
    pub release: String,
    /// First line of the compiler's `--version`.
    pub compiler: String,
}

/// Builds the kernel of `ctx`, or finds it in the cache, and links it into `build/<base>/<arch>/` of the
/// clone.
pub fn build(ctx: &Context) -> Result<Kernel> {
    let kernel = match &ctx.kernel {
        Some(path) => external::find_or_build(ctx, path)?,
        None => of_series(ctx)?,
    };
    link(ctx, &kernel)?;
    Ok(kernel)
}

/// The cache key of the kernel of `ctx`.
pub(crate) fn key(ctx: &Context) -> Result<String> {
    Ok(Inputs::of(ctx)?.store.key().to_owned())
}

/// The inputs of the kernel of base and series, and its entry in the cache.
struct Inputs {
    source: Source,
    series: Series,
    requests: Requests,
    store: KernelStore,
}

impl Inputs {
    fn of(ctx: &Context) -> Result<Inputs> {
        let source = source::find(ctx)?;
        let series = Series::load(&ctx.patches())?;
        let requests = kconfig::load(&kconfig::fragments(ctx)?)?;
        let store = KernelStore::new(ctx, &source, &series, &requests)?;
        Ok(Inputs {
            source,
            series,
            requests,
            store,
        })
    }
}

/// The kernel of base and series.
fn of_series(ctx: &Context) -> Result<Kernel> {
    let Inputs {
        source,
        series,
        requests,
        store,
    } = Inputs::of(ctx)?;
    if let Some(kernel) = store.find() {
        return Ok(kernel);
    }
    let tree = source.hold_tree(ctx)?;
    // another run may have built it during the wait for the tree
    if let Some(kernel) = store.find() {
        return Ok(kernel);
    }
    let commits = source.apply(&tree.git, &series)?;
    tree.git
        .check_out(commits.last().map_or("base", String::as_str))?;
    let build = Build::new(ctx, tree.git.dir());
    let what = format!(
        "{} with {} patches",
        source.package.version,
        series.patches.len()
    );
    let built = build.kernel(&requests, &what)?;
    store.publish(&built)
}

/// Links the files of `kernel` into the clone.
fn link(ctx: &Context, kernel: &Kernel) -> Result<()> {
    let dir = ctx.build_dir();
    fs::create_dir_all(&dir)?;
    for (name, target) in [
        ("image", &kernel.image),
        ("vmlinux", &kernel.vmlinux),
        ("config", &kernel.config),
    ] {
        let link = dir.join(name);
        if target.starts_with(&dir) || fs::read_link(&link).is_ok_and(|old| old == *target) {
            continue;
        }
        atomic::symlink(target, &link)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
