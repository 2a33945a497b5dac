// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Libraries and programs of a foreign architecture, for linking the guest agent and for the guest's root.
//!
//! They are unpacked into the cache from packages of this machine's distribution. Nothing is installed,
//! and none of the programs run on this machine.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;
use xshell::Shell;

use crate::env::arch::Names;
use crate::env::atomic;
use crate::env::command::{cmd, output, shell_in};
use crate::env::context::{Arch, Context};
use crate::env::lock;

/// The packages; their dependencies are unpacked as well.
const PACKAGES: &[&str] = &[
    // for the agent; the C library is a dependency
    "libelf-dev",
    "zlib1g-dev",
    // for mainline's bpftool, which signs programs
    "libssl-dev",
    // for the guest's root folder
    "bash-static",
    "busybox-static",
];

/// Prints the repositories of this machine as a sources.list.
const SOURCE_LINE: &str = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)";

/// The root folder of the unpacked packages for the architecture of `ctx`; `None` if that is this
/// machine's own.
pub fn find(ctx: &Context) -> Result<Option<PathBuf>> {
    if Arch::of_this_machine()? == ctx.arch {
        return Ok(None);
    }
    let folder = ctx.cache_dir("sysroot")?;
    let dir = folder.join(ctx.arch.names().name);
    if !is_complete(&dir) {
        let _lock = lock::take(&folder.join("lock"), ctx.progress)?;
        if !is_complete(&dir) {
            unpack(ctx, &folder, &dir)?;
        }
    }
    Ok(Some(dir))
}

/// The stamp contains the packages, and is written last.
fn is_complete(dir: &Path) -> bool {
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
    let new = atomic::new_folder(folder)?;
    let sh = shell_in(new.path())?;
    download(&sh, arch)?;
    let root = new.path().join("root");
    fs::create_dir(&root)?;
    output(cmd!(
        sh,
        "tar --extract --file=root.tar --directory=root --no-same-owner --exclude=./dev/*"
    ))?;
    fs::write(stamp(&root), PACKAGES.join(" "))?;
    atomic::rename(&root, dir)?;
    stage.done(format!("libraries and programs for {}", arch.name));
    Ok(())
}

/// Writes the packages to the archive `root.tar`, which tar can unpack without the right to create files
/// of other owners.
fn download(sh: &Shell, arch: &Names) -> Result<()> {
    let filter = ["Created-By: Packages", "Origin: Debian"];
    let sources = output(cmd!(
        sh,
        "apt-get indextargets --format {SOURCE_LINE} {filter...}"
    ))?;
    ensure!(
        !sources.is_empty(),
        "apt has no repository of Debian; run `apt-get update`, or check /etc/apt"
    );
    let (debian, packages) = (arch.debian, PACKAGES.join(","));
    // chrootless: no program of the packages runs, so neither root nor a namespace is needed; newer
    // versions reject that mode as root, because maintainer scripts could change the machine, and
    // --skip allows it: --variant=extract runs none. The empty argument is the suite, `-` reads the
    // sources from standard input.
    output(
        cmd!(
            sh,
            "mmdebstrap --quiet --mode=chrootless --skip=check/chrootless --variant=extract
                --format=tar --architectures={debian} --include={packages} '' root.tar -"
        )
        .stdin(sources),
    )
    .map(drop)
    .with_context(|| format!("cannot unpack packages for {}", arch.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_or_outdated_sysroot_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_complete(dir.path()));
        fs::write(stamp(dir.path()), "libelf-dev").unwrap();
        assert!(!is_complete(dir.path()));
        fs::write(stamp(dir.path()), PACKAGES.join(" ")).unwrap();
        assert!(is_complete(dir.path()));
    }
}
