// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The kernel's types and kfuncs as a C header, written by bpftool from the kernel's BTF.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};

use crate::context::Context;
use crate::digest::Digest;

const NAME: &str = "vmlinux.h";
/// A header of an earlier build of the same kernel goes when nobody can be compiling with it.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// The folder that holds `vmlinux.h` of this kernel. It is written once for each build: a kernel is
/// known again by its path, size and time, for to hash it takes longer than to boot it.
pub(super) fn write(ctx: &Context, vmlinux: &Path, bpftool: &Path) -> Result<PathBuf> {
    let cache = ctx.cache_dir("vmlinux.h")?;
    let (kernel, build) = keys(vmlinux, bpftool)?;
    let dir = cache.join(format!("{kernel}-{build}"));
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
    remove_earlier(&cache, &kernel, &dir);
    Ok(dir)
}

/// Names of the kernel (its path) and of this build of it, as this bpftool sees it.
fn keys(vmlinux: &Path, bpftool: &Path) -> Result<(String, String)> {
    let cannot = || {
        format!(
            "cannot read the kernel's types from {}; build it, or name a build folder with KERNEL=",
            vmlinux.display()
        )
    };
    let path = vmlinux.canonicalize().with_context(cannot)?;
    let data = path.metadata().with_context(cannot)?;
    let mut kernel = Digest::default();
    kernel.add("path", path.as_os_str().as_encoded_bytes());
    let mut build = Digest::default();
    build.add("bpftool", bpftool.as_os_str().as_encoded_bytes());
    build.add("size", data.len().to_le_bytes());
    build.add("time", format!("{}.{:09}", data.mtime(), data.mtime_nsec()));
    Ok((kernel.key(), build.key()))
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

/// Best effort: a header too many costs a few MiB and harms nobody.
fn remove_earlier(cache: &Path, kernel: &str, current: &Path) {
    let now = SystemTime::now();
    for entry in cache.read_dir().into_iter().flatten().flatten() {
        let same_kernel = entry
            .file_name()
            .to_string_lossy()
            .starts_with(&format!("{kernel}-"))
            && entry.path() != current;
        let age = entry
            .metadata()
            .and_then(|data| data.modified())
            .ok()
            .and_then(|time| now.duration_since(time).ok());
        if same_kernel && age.is_some_and(|age| age > KEPT) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
