// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The programs that boot a guest: the machine's QEMU, and virtme-ng in a venv of the cache.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;

use super::Userland;
use crate::env::command::{capture, cmd, find, last_lines, output, shell_in};
use crate::env::context::{Arch, Context};
use crate::env::lock;
use crate::env::tools::python;

/// The version of virtme-ng that is installed.
pub const VIRTME_NG: &str = "1.42";

/// The oldest supported major version of QEMU.
pub const QEMU_MINIMUM: u32 = 7;

/// Environment variable with a virtme-run to use instead of the one in the cache, for tests of the harness.
const VIRTME_RUN_VARIABLE: &str = "BPF_STREAMS_VIRTME_RUN";

/// The programs that boot a guest.
#[derive(Clone, Debug)]
pub struct Tools {
    /// virtme-ng's `virtme-run`.
    pub virtme_run: PathBuf,
    /// The system emulator.
    pub qemu: PathBuf,
    /// The programs that the guest's init runs.
    pub userland: Userland,
}

impl Tools {
    /// Finds QEMU and virtme-ng; installs virtme-ng into the cache if it is missing.
    pub fn find(ctx: &Context) -> Result<Tools> {
        let qemu = find_qemu(ctx.arch)?;
        let virtme_run = match std::env::var_os(VIRTME_RUN_VARIABLE) {
            Some(path) => PathBuf::from(path),
            None => virtme_run(ctx)?,
        };
        Ok(Tools {
            virtme_run,
            qemu,
            userland: Userland::find(ctx)?,
        })
    }
}

fn find_qemu(arch: Arch) -> Result<PathBuf> {
    let name = arch.names().qemu;
    let qemu = find(name).with_context(|| {
        format!("{name} is missing; install QEMU {QEMU_MINIMUM} or newer (see `make doctor`)")
    })?;
    let sh = shell_in("/")?;
    let printed = output(cmd!(sh, "{name} --version"))?;
    let major = major_version(&printed)
        .with_context(|| format!("`{name} --version` prints no version: {printed}"))?;
    ensure!(
        major >= QEMU_MINIMUM,
        "{} is too old: {}; expected version {QEMU_MINIMUM} or newer (see `make doctor`)",
        qemu.display(),
        printed.lines().next().unwrap_or_default()
    );
    Ok(qemu)
}

/// `7` of `QEMU emulator version 7.2.22 (Debian …)`.
fn major_version(printed: &str) -> Option<u32> {
    let version = printed.split("version ").nth(1)?;
    version.split('.').next()?.parse().ok()
}

/// The virtme-run of the venv, which is created if it is missing or incomplete.
fn virtme_run(ctx: &Context) -> Result<PathBuf> {
    let folder = ctx.cache_dir("virtme-ng")?;
    let venv = folder.join(VIRTME_NG);
    let run = venv.join("bin/virtme-run");
    if is_complete(&venv) {
        return Ok(run);
    }
    let _lock = lock::take(&folder.join("lock"), ctx.progress)?;
    if !is_complete(&venv) {
        install(ctx, &venv)?;
    }
    Ok(run)
}

/// The stamp is written last. The venv's Python is a link, which an upgrade of Python can break.
fn is_complete(venv: &Path) -> bool {
    venv.join("stamp").exists() && venv.join("bin/python3").exists()
}

/// Creates the venv and installs virtme-ng with pip, from the package index of pip's configuration.
fn install(ctx: &Context, venv: &Path) -> Result<()> {
    let stage = ctx
        .progress
        .stage("virtme-ng", format!("installing virtme-ng {VIRTME_NG}"));
    let sh = shell_in(&ctx.cache)?;
    let python = python::for_venv().context(
        "no python3 that is 3.9 or newer and has the modules venv and ensurepip; install the packages \
         python3 and python3-venv",
    )?;
    let created = capture(cmd!(sh, "{python} -m venv --clear {venv}"))?;
    if !created.status.success() {
        bail!(
            "python3 -m venv failed; install the package python3-venv{}",
            last_lines(&created)
        );
    }
    let pip = venv.join("bin/pip");
    output(cmd!(sh, "{pip} install --quiet virtme-ng=={VIRTME_NG}")).with_context(|| {
        format!(
            "cannot install virtme-ng {VIRTME_NG} from the package index of pip's configuration (see \
             `pip config list`)"
        )
    })?;
    let stamp = venv.join("stamp");
    fs::write(&stamp, VIRTME_NG)?;
    stage.done(format!("virtme-ng {VIRTME_NG}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_qemu_is_parsed() {
        let debian = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright (c) 2003-2022";
        assert_eq!(major_version(debian), Some(7));
        assert_eq!(major_version("QEMU emulator version 11.0.0"), Some(11));
        assert_eq!(major_version("command not found"), None);
    }

    #[test]
    fn a_venv_without_a_stamp_is_incomplete() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        fs::write(dir.path().join("bin/python3"), "").unwrap();
        assert!(!is_complete(dir.path()));
        fs::write(dir.path().join("stamp"), VIRTME_NG).unwrap();
        assert!(is_complete(dir.path()));
    }
}
