// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Libraries and programs of a foreign architecture: what the guest agent is linked with, and what
//! its guests run besides.
//!
//! They are unpacked into the cache, out of the packages of the distribution that this machine
//! runs; nothing of them is installed, and nothing of them runs here.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use xshell::Shell;

use crate::env::arch::Names;
use crate::env::command::{command, output, shell_in};
use crate::env::context::{Arch, Context};
use crate::env::lock;

/// What is unpacked, with all that it depends on.
const PACKAGES: &[&str] = &[
    // for the agent; the C library's own files come with them
    "libelf-dev",
    "zlib1g-dev",
    // for mainline's bpftool, which signs programs
    "libssl-dev",
    // for the guest's root folder
    "bash-static",
    "busybox-static",
];

/// A line of apt's configuration for each place that this machine takes Debian's packages from.
const SOURCE_LINE: &str = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)";

/// The folder that holds them, as if it were the root of a machine of the architecture of `ctx`;
/// none where that is this machine's own.
pub fn find(ctx: &Context) -> Result<Option<PathBuf>> {
    if Arch::of_this_machine()? == ctx.arch {
        return Ok(None);
    }
    let folder = ctx.cache_dir("sysroot")?;
    let dir = folder.join(ctx.arch.names().name);
    if !is_whole(&dir) {
        let _lock = lock::take(&folder.join("lock"), ctx.progress)?;
        if !is_whole(&dir) {
            unpack(ctx, &folder, &dir)?;
        }
    }
    Ok(Some(dir))
}

/// The stamp says what was unpacked, and is written last.
fn is_whole(dir: &Path) -> bool {
    fs::read_to_string(stamp(dir)).is_ok_and(|text| text == PACKAGES.join(" "))
}

fn stamp(dir: &Path) -> PathBuf {
    dir.join("bpf-streams.stamp")
}

fn unpack(ctx: &Context, folder: &Path, dir: &Path) -> Result<()> {
    let arch = ctx.arch.names();
    let stage = ctx.progress.stage(
        "sysroot",
        format!("unpacking libraries and programs for {}", arch.name),
    );
    let new = tempfile::tempdir_in(folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    let sh = shell_in(new.path())?;
    download(&sh, arch)?;
    let root = new.path().join("root");
    fs::create_dir(&root).with_context(|| format!("cannot make {}", root.display()))?;
    output(command(&sh, "tar").args([
        "--extract",
        "--file=root.tar",
        "--directory=root",
        "--no-same-owner",
        "--exclude=./dev/*",
    ]))?;
    fs::write(stamp(&root), PACKAGES.join(" "))
        .with_context(|| format!("cannot write to {}", root.display()))?;
    if dir.exists() {
        // of other packages, or not whole
        fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    fs::rename(&root, dir).with_context(|| format!("cannot write {}", dir.display()))?;
    stage.done(format!("libraries and programs for {}", arch.name));
    Ok(())
}

/// Puts what is to be unpacked into `root.tar`, an archive: who may not make files of other owners can
/// unpack it all the same.
fn download(sh: &Shell, arch: &Names) -> Result<()> {
    let sources = output(command(sh, "apt-get").args([
        "indextargets",
        "--format",
        SOURCE_LINE,
        "Created-By: Packages",
        "Origin: Debian",
    ]))?;
    ensure!(
        !sources.is_empty(),
        "apt knows no source of Debian's packages; `apt-get update`, or look at /etc/apt"
    );
    output(
        command(sh, "mmdebstrap")
            // nothing of it runs, so it takes neither root nor a namespace
            .args([
                "--quiet",
                "--mode=chrootless",
                // newer versions refuse it to root, as packages' scripts could change the machine;
                // none is run
                "--skip=check/chrootless",
                "--variant=extract",
                "--format=tar",
            ])
            .arg(format!("--architectures={}", arch.debian))
            .arg(format!("--include={}", PACKAGES.join(",")))
            // no suite of its own, an archive, the sources as they are given
            .args(["", "root.tar", "-"])
            .stdin(sources),
    )
    .map(drop)
    .with_context(|| {
        format!(
            "cannot get packages for {}; is mmdebstrap there (see `make doctor`)?",
            arch.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_unpacked_for_other_packages_or_half_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_whole(dir.path()));
        fs::write(stamp(dir.path()), "libelf-dev").unwrap();
        assert!(!is_whole(dir.path()));
        fs::write(stamp(dir.path()), PACKAGES.join(" ")).unwrap();
        assert!(is_whole(dir.path()));
    }
}
