// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! External kernels, `KERNEL=path`: a kernel or a kernel tree of the user.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

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
/// | path | kernel |
/// | --- | --- |
/// | a build folder | the kernel in that folder |
/// | a kernel tree without a build | built like the kernel of the series |
/// | an image | the kernel of the build folder around it |
pub fn find_or_build(ctx: &Context, path: &Path) -> Result<Kernel> {
    let path = fs::canonicalize(path)
        .with_context(|| format!("KERNEL={}: there is no such file", path.display()))?;
    if path.is_dir() {
        if let Ok(kernel) = from_build_folder(&path, ctx.arch) {
            return with_source(kernel, apt::is_installed());
        }
        if is_kernel_tree(&path) {
            return build_tree(ctx, &path);
        }
        bail!(
            "KERNEL={}: this is neither a kernel tree nor a build folder (with vmlinux, .config and \
             {})",
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
                "KERNEL={}: there is no build folder around it; its vmlinux (types) and .config \
                 (release) are needed",
                path.display()
            )
        })?;
    kernel.image = path;
    with_source(kernel, apt::is_installed())
}

/// Without apt, Debian's source package is not available: sets [`Kernel::source`] to the tree from which
/// the kernel was built, so that bpftool and libbpf are built from it.
fn with_source(mut kernel: Kernel, has_apt: bool) -> Result<Kernel> {
    if has_apt {
        return Ok(kernel);
    }
    // in an out-of-tree build folder kbuild makes a link to the tree
    let built_in = [kernel.build_dir.clone(), kernel.build_dir.join("source")];
    let tree = built_in.iter().find(|dir| is_kernel_tree(dir));
    let tree = tree.with_context(|| {
        format!(
            "KERNEL={}: bpftool and libbpf are built from a kernel tree; this machine has no apt to \
             download Debian's source, and the tree of this kernel was not found (neither this folder \
             nor {0}/source)",
            kernel.build_dir.display()
        )
    })?;
    let tree = fs::canonicalize(tree)?;
    paths::check(
        &tree,
        "the kernel tree (KERNEL=)",
        "move it to another folder",
    )?;
    kernel.source = Some(tree);
    Ok(kernel)
}

/// Whether [`find_or_build`] builds a kernel for `path`: a kernel tree without a kernel for `arch`.
pub fn is_to_be_built(path: &Path, arch: Arch) -> bool {
    is_kernel_tree(path) && from_build_folder(path, arch).is_err()
}

/// The kernel in the build folder `dir` of the kernel's make, or in a cache entry of this harness with the
/// files `image`, `vmlinux` and `config`.
pub fn from_build_folder(dir: &Path, arch: Arch) -> Result<Kernel> {
    let find = |names: [&str; 2]| -> Result<PathBuf> {
        names
            .iter()
            .map(|name| dir.join(name))
            .find(|path| path.is_file())
            .with_context(|| format!("no {} in {}", names[0], dir.display()))
    };
    let config = find([".config", "config"])?;
    let text = fs::read_to_string(&config)?;
    let (release, compiler) = describe(&text)
        .with_context(|| format!("{} is not a kernel configuration", config.display()))?;
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

/// Builds the user's tree, in a build folder in it.
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

/// Release and compiler from a resolved configuration.
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
    use fs_err::os::unix::fs::symlink;

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
    fn without_apt_the_tree_of_the_kernel_is_used() {
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
