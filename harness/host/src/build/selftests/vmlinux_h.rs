// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! vmlinux.h: the kernel's types and kfuncs as a C header, written by bpftool from the kernel's BTF.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;

use crate::env::atomic;
use crate::env::cache_key::Digest;
use crate::env::command::{capture, cmd, shell_in};
use crate::env::context::Context;

use super::prune::prune;

const NAME: &str = "vmlinux.h";
/// Number of headers in the cache.
const KEPT: usize = 8;

/// The folder with `vmlinux.h` of this kernel, written once per build of the kernel. The key has the path,
/// size and time of the kernel: hashing it would take longer than a boot.
pub(super) fn write(ctx: &Context, vmlinux: &Path, bpftool: &Path) -> Result<PathBuf> {
    let cache = ctx.cache_dir("vmlinux.h")?;
    let dir = cache.join(key(vmlinux, bpftool)?);
    if dir.join(NAME).exists() {
        return Ok(dir);
    }
    let new = atomic::new_folder(&cache)?;
    dump(vmlinux, bpftool, &new.path().join(NAME))?;
    // another run may have written the same header
    if let Err(error) = fs::rename(new.path(), &dir) {
        ensure!(
            dir.join(NAME).exists(),
            "cannot rename {} to {}: {error}",
            new.path().display(),
            dir.display()
        );
    }
    prune(&cache, KEPT);
    Ok(dir)
}

/// The key of this build of the kernel and this bpftool.
fn key(vmlinux: &Path, bpftool: &Path) -> Result<String> {
    let cannot = || {
        format!(
            "cannot read the kernel's types from {}; build it, or set KERNEL= to a build folder",
            vmlinux.display()
        )
    };
    let path = vmlinux.canonicalize().with_context(cannot)?;
    let data = path.metadata().with_context(cannot)?;
    let mut key = Digest::default();
    key.add("path", path.as_os_str().as_encoded_bytes());
    key.add("size", data.len().to_le_bytes());
    key.add("time", format!("{}.{:09}", data.mtime(), data.mtime_nsec()));
    key.add("bpftool", bpftool.as_os_str().as_encoded_bytes());
    Ok(key.key())
}

fn dump(vmlinux: &Path, bpftool: &Path, header: &Path) -> Result<()> {
    let sh = shell_in("/")?;
    let cmd = cmd!(sh, "{bpftool} btf dump file {vmlinux} format c");
    let line = cmd.to_string();
    let out = capture(cmd)?;
    ensure!(
        out.status.success(),
        "`{line}` failed: {}\n  the kernel needs CONFIG_DEBUG_INFO_BTF=y (kernel-config/base.config)",
        String::from_utf8_lossy(&out.stderr).trim()
    );
    Ok(fs::write(header, out.stdout)?)
}
