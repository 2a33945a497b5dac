// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The kernel that a guest boots: built from base and series, or given by the user.
//!
//! The series' kernel is built in a folder of the cache's tree, incrementally, and what came out is
//! kept under a key of all that went in. So a kernel is built once, in whichever clone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::build::kconfig::{self, Requests};
use crate::env::context::Context;
use crate::queue::series::Series;
use crate::queue::source::{self, Source};

mod build;
mod external;
mod store;

pub use build::Build;
pub use external::is_to_be_built;
use store::Store;

/// A built kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What QEMU boots.
    pub image: PathBuf,
    /// The kernel with its symbols and types.
    pub vmlinux: PathBuf,
    /// The resolved configuration.
    pub config: PathBuf,
    /// The tree it was built from, where the user gave one.
    pub source: Option<PathBuf>,
    /// Debian's package of the source and its version, where it was built from base and series.
    pub package: Option<String>,
    /// The folder that holds the three files.
    pub build_dir: PathBuf,
    /// `uname -r`, for example `6.12.117-bpf-streams`.
    pub release: String,
    /// First line of the compiler's `--version`.
    pub compiler: String,
}

/// Builds the kernel that `ctx` asks for, or finds it built, and links it into the clone's
/// `build/<base>/<arch>/`.
pub fn build(ctx: &Context) -> Result<Kernel> {
    let kernel = match &ctx.kernel {
        Some(path) => external::take(ctx, path)?,
        None => of_series(ctx)?,
    };
    link(ctx, &kernel)?;
    Ok(kernel)
}

/// The key of the kernel that `ctx` asks for: what goes into it, in 24 digits.
pub fn key(ctx: &Context) -> Result<String> {
    Ok(Inputs::of(ctx)?.store.key().to_owned())
}

/// What goes into the kernel of base and series, and its place in the cache.
struct Inputs {
    source: Source,
    series: Series,
    requests: Requests,
    store: Store,
}

impl Inputs {
    fn of(ctx: &Context) -> Result<Inputs> {
        let source = source::find(ctx)?;
        let series = Series::load(&ctx.patches())?;
        let requests = kconfig::load(&kconfig::fragments(ctx)?)?;
        let store = Store::new(ctx, &source, &series, &requests)?;
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
    // another run may have built it while this one waited for the tree
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

/// Links the kernel's files to where users look for them.
fn link(ctx: &Context, kernel: &Kernel) -> Result<()> {
    let dir = ctx.build_dir();
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    for (name, target) in [
        ("image", &kernel.image),
        ("vmlinux", &kernel.vmlinux),
        ("config", &kernel.config),
    ] {
        let link = dir.join(name);
        if target.starts_with(&dir) || fs::read_link(&link).is_ok_and(|old| old == *target) {
            continue;
        }
        replace_link(&link, target)
            .with_context(|| format!("cannot link {} to {}", link.display(), target.display()))?;
    }
    Ok(())
}

/// By way of a new link that is renamed, so that no other run ever finds none.
fn replace_link(link: &Path, target: &Path) -> std::io::Result<()> {
    let new = link.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&new);
    symlink(target, &new)?;
    fs::rename(&new, link)
}

#[cfg(test)]
mod tests;
