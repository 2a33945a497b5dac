// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Debian's apt, with the mirrors that the machine is set to.

use anyhow::Result;
use xshell::{Cmd, Shell};

use crate::command::{self, command, shell_in};

/// Whether packages can be installed: there is an apt-get, and we are root.
pub fn can_install() -> bool {
    which::which("apt-get").is_ok() && rustix::process::geteuid().is_root()
}

/// The line that installs `packages`, for who has the right to.
pub fn line(packages: &[&str]) -> String {
    format!(
        "sudo apt-get update && sudo apt-get install --yes --no-install-recommends {}",
        packages.join(" ")
    )
}

/// Gets the lists of packages anew.
pub fn update() -> Result<()> {
    let sh = shell_in("/")?;
    command::output(apt_get(&sh).arg("update")).map(drop)
}

/// Installs packages. Where that fails the lists may be old or missing, so they are got anew, once.
pub fn install(packages: &[&str]) -> Result<()> {
    let sh = shell_in("/")?;
    let install = || {
        let cmd = apt_get(&sh).args(["install", "--yes", "--no-install-recommends"]);
        command::output(cmd.args(packages))
    };
    if install().is_err() {
        update()?;
        install()?;
    }
    Ok(())
}

fn apt_get(sh: &Shell) -> Cmd<'_> {
    command(sh, "apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .arg("--quiet")
        // another apt, as the nightly one, may be at work
        .args(["-o", "DPkg::Lock::Timeout=300"])
}
