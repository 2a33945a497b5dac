// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! apt, with the mirrors and keys that this machine is configured for.

use std::io::IsTerminal;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use xshell::{Cmd, Shell};

use crate::env::command::{self, cmd, shell_in};

mod plan;

pub use plan::{Change, Plan, Split, split};

/// How this process can install packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// As root.
    Root,
    /// With sudo, which needs no password or asks for it on the terminal.
    Sudo,
    /// Not at all.
    None,
}

impl Rights {
    /// The rights of this process.
    pub fn of_this_process() -> Rights {
        if rustix::process::geteuid().is_root() {
            return Rights::Root;
        }
        if command::find("sudo").is_none() {
            return Rights::None;
        }
        let without_password = shell_in("/")
            .and_then(|sh| command::capture(cmd!(sh, "sudo -n true")))
            .is_ok_and(|out| out.status.success());
        if without_password || std::io::stdin().is_terminal() {
            Rights::Sudo
        } else {
            Rights::None
        }
    }

    /// Lets sudo ask for a password now, before a progress line uses the terminal.
    pub fn claim(self) -> Result<()> {
        if self == Rights::Sudo {
            let status = Command::new("sudo")
                .arg("-v")
                .status()
                .context("cannot run `sudo -v`")?;
            ensure!(status.success(), "`sudo -v` failed ({status})");
        }
        Ok(())
    }
}

/// Whether apt is installed.
pub fn is_installed() -> bool {
    command::find("apt-get").is_some()
}

/// Whether this process can install packages.
pub fn can_install() -> bool {
    is_installed() && Rights::of_this_process() != Rights::None
}

/// The command line with which the user installs `packages`.
pub fn line(packages: &[&str]) -> String {
    format!(
        "sudo apt-get update && sudo apt-get install --yes --no-install-recommends --no-remove {}",
        packages.join(" ")
    )
}

/// `apt-get update`.
pub fn update() -> Result<()> {
    let sh = shell_in("/")?;
    command::output(as_root(&sh)?.arg("update")).map(drop)
}

/// The `packages` of which apt has no version: on a machine without package lists, all that are not
/// installed.
pub fn unknown<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    let sh = shell_in("/")?;
    let policy = command::output(cmd!(sh, "apt-cache policy {packages...}"))?;
    Ok(without_candidate(packages, &policy))
}

/// The `packages` without a candidate in the output of `apt-cache policy`.
fn without_candidate<'a>(packages: &[&'a str], policy: &str) -> Vec<&'a str> {
    let mut known = Vec::new();
    let mut package = "";
    for line in policy.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            package = name;
        } else if let Some(version) = line.trim().strip_prefix("Candidate: ")
            && version != "(none)"
        {
            known.push(package);
        }
    }
    let unknown = packages.iter().copied();
    unknown.filter(|name| !known.contains(name)).collect()
}

/// What `apt-get install` of `packages` would do; an error if that fails.
pub fn simulate(packages: &[&str]) -> Result<Plan> {
    let sh = shell_in("/")?;
    let simulation = command::output(cmd!(
        sh,
        "apt-get --simulate install --allow-downgrades {INSTALL...} {packages...}"
    ))?;
    Plan::parse(&simulation, is_older)
}

/// Installs `packages`; fails if that would remove a package.
pub fn install(packages: &[&str]) -> Result<()> {
    let sh = shell_in("/")?;
    let cmd = as_root(&sh)?
        .arg("install")
        .args(INSTALL)
        .arg("--no-remove")
        // keep configuration files that the user changed, without asking
        .args(["-o", "DPkg::Options::=--force-confdef"])
        .args(["-o", "DPkg::Options::=--force-confold"]);
    command::output(cmd.args(packages)).map(drop)
}

const INSTALL: [&str; 2] = ["--yes", "--no-install-recommends"];

/// Whether version `new` is older than `old`, by dpkg's order of versions.
fn is_older(new: &str, old: &str) -> Result<bool> {
    let sh = shell_in("/")?;
    let out = command::capture(cmd!(sh, "dpkg --compare-versions {new} lt {old}"))?;
    Ok(out.status.success())
}

/// apt-get as root.
fn as_root(sh: &Shell) -> Result<Cmd<'_>> {
    let cmd = match Rights::of_this_process() {
        // sudo drops the environment
        Rights::Sudo => cmd!(sh, "sudo env LC_ALL=C {FRONTEND} apt-get"),
        Rights::Root | Rights::None => cmd!(sh, "env LC_ALL=C {FRONTEND} apt-get"),
    };
    Ok(cmd
        .arg("--quiet")
        // another apt may run, for example the daily upgrade
        .args(["-o", "DPkg::Lock::Timeout=300"]))
}

/// Maintainer scripts ask no questions.
const FRONTEND: &str = "DEBIAN_FRONTEND=noninteractive";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_a_candidate_is_unknown() {
        let policy = "bc:\n  Installed: (none)\n  Candidate: 1.07.1-3\n  Version table:\n     1.07.1-3 500\n\
                      xz-utils:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n";
        assert_eq!(
            without_candidate(&["bc", "xz-utils", "gcc"], policy),
            ["xz-utils", "gcc"]
        );
        assert_eq!(without_candidate(&["gcc"], ""), ["gcc"]);
    }
}
