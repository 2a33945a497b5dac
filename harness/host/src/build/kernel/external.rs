// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `KERNEL=path`: a kernel or a kernel tree of the user's.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{Build, Kernel};
use crate::build::kconfig;
use crate::env::apt;
use crate::env::arch::Arch;
use crate::env::context::Context;
use crate::env::lock;
use crate::env::paths;
use crate::queue::gittree::is_kernel_tree;

/// The kernel at `path`:
///
/// | path | what is taken |
/// | --- | --- |
/// | a build folder | what was built there |
/// | a kernel tree that was not built | it is built, as the series' kernel is |
/// | an image | the kernel whose build folder it lies in |
pub fn take(ctx: &Context, path: &Path) -> Result<Kernel> {
    let path = fs::canonicalize(path)
        .with_context(|| format!("KERNEL={}: there is no such file", path.display()))?;
    if path.is_dir() {
        if let Ok(kernel) = from_build_folder(&path, ctx.arch) {
            return with_source(kernel, apt::is_here());
        }
        if is_kernel_tree(&path) {
            return build_tree(ctx, &path);
        }
        bail!(
            "KERNEL={}: this is neither a kernel tree nor the folder of a build (vmlinux, .config \
             and {})",
            path.display(),
            ctx.arch.names().image
        );
    }
    let mut kernel = path
        .ancestors()
        .skip(1)
        .find_map(|dir| from_build_folder(dir, ctx.arch).ok())
        .with_context(|| {
            format!(
                "KERNEL={}: there is no build folder around it; the types of the kernel are taken \
                 from the vmlinux there, and its release from the .config",
                path.display()
            )
        })?;
    kernel.image = path;
    with_source(kernel, apt::is_here())
}

/// The kernel with the tree that bpftool and libbpf are built from, where that cannot be Debian's source
/// package with the series: the tree that the kernel was built from.
fn with_source(mut kernel: Kernel, has_apt: bool) -> Result<Kernel> {
    if has_apt {
        return Ok(kernel);
    }
    // kbuild leaves a link to the tree in a build folder outside of it
    let built_in = [kernel.build_dir.clone(), kernel.build_dir.join("source")];
    let tree = built_in.iter().find(|dir| is_kernel_tree(dir));
    let tree = tree.with_context(|| {
        format!(
            "KERNEL={}: bpftool and libbpf are built from a kernel tree; this machine has no apt to get \
             Debian's source with, and the tree that the kernel was built from is not there (neither \
             around it nor at {0}/source)",
            kernel.build_dir.display()
        )
    })?;
    let tree =
        fs::canonicalize(tree).with_context(|| format!("cannot follow {}", tree.display()))?;
    paths::check(
        &tree,
        "the kernel tree (KERNEL=)",
        "move it to another folder",
    )?;
    kernel.source = Some(tree);
    Ok(kernel)
}

/// Whether [`take`] builds what `path` leads to: a kernel tree that was not built for `arch` yet, as
/// far as can be seen.
pub fn is_to_be_built(path: &Path, arch: Arch) -> bool {
    is_kernel_tree(path) && from_build_folder(path, arch).is_err()
}

/// The kernel that was built in `dir`: by the kernel's make, or by this harness, which calls the
/// files `image`, `vmlinux` and `config`.
pub fn from_build_folder(dir: &Path, arch: Arch) -> Result<Kernel> {
    let find = |names: [&str; 2]| -> Result<PathBuf> {
        names
            .iter()
            .map(|name| dir.join(name))
            .find(|path| path.is_file())
            .with_context(|| format!("there is no {} in {}", names[0], dir.display()))
    };
    let config = find([".config", "config"])?;
    let text =
        fs::read_to_string(&config).with_context(|| format!("cannot read {}", config.display()))?;
    let (release, compiler) = describe(&text)
        .with_context(|| format!("{} is no kernel configuration", config.display()))?;
    let written = fs::read_to_string(dir.join("include/config/kernel.release"));
    Ok(Kernel {
        image: find([arch.names().image, "image"])?,
        vmlinux: find(["vmlinux", "vmlinux"])?,
        config,
        source: None,
        package: None,
        build_dir: dir.to_owned(),
        release: written.map_or(release, |text| text.trim().to_owned()),
        compiler,
    })
}

/// Builds the user's tree, in a build folder of ours inside it.
fn build_tree(ctx: &Context, tree: &Path) -> Result<Kernel> {
    paths::check(
        tree,
        "the kernel tree (KERNEL=)",
        "move it to another folder",
    )?;
    let requests = kconfig::load(&kconfig::fragments(ctx)?)?;
    let build = Build::new(ctx, tree);
    let _lock = lock::take(&tree.join(".build-bpf-streams.lock"), ctx.progress)?;
    let kernel = build.kernel(&requests, &tree.display().to_string())?;
    Ok(Kernel {
        source: Some(tree.to_owned()),
        ..kernel
    })
}

/// Release and compiler out of a resolved configuration.
fn describe(config: &str) -> Option<(String, String)> {
    let version = config
        .lines()
        .find_map(|line| line.strip_prefix("# Linux/")?.split_whitespace().nth(1))?;
    let value = |name: &str| {
        config
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
    };
    let local = value("CONFIG_LOCALVERSION").unwrap_or_default();
    Some((
        format!("{version}{local}"),
        value("CONFIG_CC_VERSION_TEXT")?,
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn kernel(build_dir: &Path) -> Kernel {
        Kernel {
            image: build_dir.join("image"),
            vmlinux: build_dir.join("vmlinux"),
            config: build_dir.join(".config"),
            source: None,
            package: None,
            build_dir: build_dir.to_owned(),
            release: String::new(),
            compiler: String::new(),
        }
    }

    #[test]
    fn without_apt_the_tree_of_the_build_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, out) = (dir.path().join("tree"), dir.path().join("out"));
        fs::create_dir_all(tree.join("kernel/bpf")).unwrap();
        for name in ["Kconfig", "Makefile", "MAINTAINERS"] {
            fs::write(tree.join(name), "").unwrap();
        }
        fs::create_dir(&out).unwrap();
        let source = |dir: &Path, has_apt| with_source(kernel(dir), has_apt).map(|k| k.source);
        let own = Some(fs::canonicalize(&tree).unwrap());
        assert_eq!(source(&tree, false).unwrap(), own);
        assert_eq!(source(&tree, true).unwrap(), None);
        let error = source(&out, false).unwrap_err().to_string();
        assert!(
            error.contains("no apt") && error.contains("out/source"),
            "{error}"
        );
        symlink(&tree, out.join("source")).unwrap();
        assert_eq!(source(&out, false).unwrap(), own);
    }
}
