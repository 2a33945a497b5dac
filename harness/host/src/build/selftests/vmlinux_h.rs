// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The kernel's types and kfuncs as a C header, written by bpftool from the kernel's BTF.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::env::cache_key::Digest;
use crate::env::context::Context;

use super::prune::prune;

const NAME: &str = "vmlinux.h";
/// Headers that are kept, of this kernel and of others.
const KEPT: usize = 8;

/// The folder that holds `vmlinux.h` of this kernel. It is written once for each build: a kernel is
/// known again by its path, size and time, for to hash it takes longer than to boot it.
pub(super) fn write(ctx: &Context, vmlinux: &Path, bpftool: &Path) -> Result<PathBuf> {
    let cache = ctx.cache_dir("vmlinux.h")?;
    let dir = cache.join(key(vmlinux, bpftool)?);
    if dir.join(NAME).exists() {
        return Ok(dir);
    }
    let new = tempfile::tempdir_in(&cache)
        .with_context(|| format!("cannot write to the cache {}", cache.display()))?;
    dump(vmlinux, bpftool, &new.path().join(NAME))?;
    // Where another run was faster, its header serves as well.
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

/// The key of this build of this kernel, as this bpftool sees it.
fn key(vmlinux: &Path, bpftool: &Path) -> Result<String> {
    let cannot = || {
        format!(
            "cannot read the kernel's types from {}; build it, or name a build folder with KERNEL=",
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
    let file =
        File::create(header).with_context(|| format!("cannot write {}", header.display()))?;
    let output = Command::new(bpftool)
        .args(["btf", "dump", "file"])
        .arg(vmlinux)
        .args(["format", "c"])
        .stdout(file)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .with_context(|| format!("cannot run {}", bpftool.display()))?;
    ensure!(
        output.status.success(),
        "`{} btf dump file {} format c` failed: {}\n  the kernel needs CONFIG_DEBUG_INFO_BTF=y (kernel-config/base.config)",
        bpftool.display(),
        vmlinux.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
