// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The guest's root folder: as little as virtme-ng's init needs, the agent, and the objects.
//!
//! It boots a second faster than the host's own root, and is the same on every machine.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::RunSpec;
use crate::context::Arch;

/// What virtme-ng's init mounts over, or looks into.
const FOLDERS: &[&str] = &[
    "bin", "dev", "etc", "objects", "proc", "root", "run", "sys", "tmp", "var/log", "var/tmp",
];

/// What it runs, all of it busybox.
const APPLETS: &[&str] = &["sh", "mount", "mkdir"];

/// What it mounts files over.
const FILES: &[(&str, &str)] = &[
    ("etc/fstab", ""),
    ("etc/shadow", ""),
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ("etc/group", "root:x:0:\n"),
];

/// Where the agent lies in the guest.
pub const AGENT: &str = "/bin/bpf-streams-guest";

/// Fills `root`.
pub fn fill(root: &Path, spec: &RunSpec) -> Result<()> {
    for folder in FOLDERS {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    for (file, text) in FILES {
        let file = root.join(file);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    copy(&busybox(spec.arch)?, &root.join("bin/busybox"))?;
    for applet in APPLETS {
        let link = root.join("bin").join(applet);
        symlink("busybox", &link).with_context(|| format!("cannot link {}", link.display()))?;
    }
    copy(&spec.agent, &root.join(AGENT.trim_start_matches('/')))?;
    copy_objects(&spec.objects, &root.join("objects"))
}

fn copy_objects(from: &Path, to: &Path) -> Result<()> {
    let what = || format!("cannot list the selftests' objects in {}", from.display());
    for entry in fs::read_dir(from).with_context(what)? {
        let entry = entry.with_context(what)?;
        if entry.file_name().to_string_lossy().ends_with(".bpf.o") {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// A busybox that needs no libraries.
fn busybox(arch: Arch) -> Result<PathBuf> {
    anyhow::ensure!(
        arch == Arch::of_this_machine()?,
        "there is no root folder for guests of {arch} yet"
    );
    which::which("busybox").context("busybox is missing; install the package busybox-static")
}
