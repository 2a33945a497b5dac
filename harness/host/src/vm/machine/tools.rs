// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The programs that boot a guest: QEMU of the machine, virtme-ng pinned in a venv of the cache.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;

use super::Userland;
use crate::env::command::{capture, command, find, output, shell_in};
use crate::env::context::{Arch, Context};
use crate::env::lock;
use crate::env::tools::python;

/// The version of virtme-ng that the harness was tested with.
pub const VIRTME_NG: &str = "1.42";

/// The oldest major version of QEMU that will do.
pub const QEMU_MINIMUM: u32 = 7;

/// Takes another virtme-run than the one of the cache; for tests of the harness.
const VIRTME_RUN_VARIABLE: &str = "BPF_STREAMS_VIRTME_RUN";

/// The programs that boot a guest.
#[derive(Clone, Debug)]
pub struct Tools {
    /// virtme-ng's command that runs a kernel.
    pub virtme_run: PathBuf,
    /// The system emulator.
    pub qemu: PathBuf,
    /// What the guest's init runs.
    pub userland: Userland,
}

impl Tools {
    /// Finds QEMU, and virtme-ng, which is installed into the cache where it is not yet.
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
    let said = output(command(&sh, name).arg("--version"))?;
    let major = major_version(&said)
        .with_context(|| format!("cannot find a version in what {name} --version says: {said}"))?;
    ensure!(
        major >= QEMU_MINIMUM,
        "{} is too old: {}; expected version {QEMU_MINIMUM} or newer (see `make doctor`)",
        qemu.display(),
        said.lines().next().unwrap_or_default()
    );
    Ok(qemu)
}

/// `7` of `QEMU emulator version 7.2.22 (Debian …)`.
fn major_version(said: &str) -> Option<u32> {
    let version = said.split("version ").nth(1)?;
    version.split('.').next()?.parse().ok()
}

/// virtme-run of the venv, which is made where it is not there or not whole.
fn virtme_run(ctx: &Context) -> Result<PathBuf> {
    let folder = ctx.cache_dir("virtme-ng")?;
    let venv = folder.join(VIRTME_NG);
    let run = venv.join("bin/virtme-run");
    if is_whole(&venv) {
        return Ok(run);
    }
    let _lock = lock::take(&folder.join("lock"), ctx.progress)?;
    if !is_whole(&venv) {
        install(ctx, &venv)?;
    }
    Ok(run)
}

/// The stamp is written last; the venv's Python is a link that an upgrade can leave dangling.
fn is_whole(venv: &Path) -> bool {
    venv.join("stamp").exists() && venv.join("bin/python3").exists()
}

/// Creates the venv with the Python that set-up checked for this, and has pip take virtme-ng from wherever this
/// machine is set up to take packages from.
fn install(ctx: &Context, venv: &Path) -> Result<()> {
    let stage = ctx
        .progress
        .stage("virtme-ng", format!("installing virtme-ng {VIRTME_NG}"));
    let sh = shell_in(&ctx.cache)?;
    let python = python::for_venv().context(
        "no python3 here is 3.9 or newer and has the modules venv and ensurepip; install the packages \
         python3 and python3-venv",
    )?;
    let made = capture(
        command(&sh, &python.to_string_lossy())
            .args(["-m", "venv", "--clear"])
            .arg(venv),
    )?;
    if !made.status.success() {
        bail!(
            "python3 -m venv failed; install the package python3-venv{}",
            crate::env::command::last_lines(&made)
        );
    }
    let pip = venv.join("bin/pip");
    output(
        command(&sh, &pip.to_string_lossy())
            .args(["install", "--quiet"])
            .arg(format!("virtme-ng=={VIRTME_NG}")),
    )
    .with_context(|| {
        format!(
            "cannot install virtme-ng {VIRTME_NG} from the package index that pip is set up for \
             (see `pip config list`)"
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
    fn the_version_is_found_in_what_qemu_says() {
        let debian = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright (c) 2003-2022";
        assert_eq!(major_version(debian), Some(7));
        assert_eq!(major_version("QEMU emulator version 11.0.0"), Some(11));
        assert_eq!(major_version("command not found"), None);
    }

    #[test]
    fn a_venv_without_its_stamp_is_not_whole() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        fs::write(dir.path().join("bin/python3"), "").unwrap();
        assert!(!is_whole(dir.path()));
        fs::write(dir.path().join("stamp"), VIRTME_NG).unwrap();
        assert!(is_whole(dir.path()));
    }
}
