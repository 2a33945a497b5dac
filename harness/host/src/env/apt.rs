// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Debian's apt, with the mirrors that the machine is set to.

use std::io::IsTerminal;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use xshell::{Cmd, Shell};

use crate::env::command::{self, command, shell_in};

mod plan;

pub use plan::{Change, Plan, Split, split};

/// How this process may change the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// It runs as root.
    Root,
    /// It calls sudo, which asks for no password, or asks for it on the terminal.
    Sudo,
    /// It may not.
    None,
}

impl Rights {
    /// Those of this process.
    pub fn of_this_process() -> Rights {
        if rustix::process::geteuid().is_root() {
            return Rights::Root;
        }
        if command::find("sudo").is_none() {
            return Rights::None;
        }
        let without_password = shell_in("/")
            .and_then(|sh| command::capture(command(&sh, "sudo").args(["-n", "true"])))
            .is_ok_and(|out| out.status.success());
        if without_password || std::io::stdin().is_terminal() {
            Rights::Sudo
        } else {
            Rights::None
        }
    }

    /// Has sudo ask for a password now, where it needs one, and not while a line of progress moves.
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

/// Whether the machine has apt.
pub fn is_here() -> bool {
    command::find("apt-get").is_some()
}

/// Whether packages can be installed: there is an apt-get, and we are root or may become it.
pub fn can_install() -> bool {
    is_here() && Rights::of_this_process() != Rights::None
}

/// The command line that installs `packages`, to be run as root.
pub fn line(packages: &[&str]) -> String {
    format!(
        "sudo apt-get update && sudo apt-get install --yes --no-install-recommends --no-remove {}",
        packages.join(" ")
    )
}

/// Gets the lists of packages anew.
pub fn update() -> Result<()> {
    let sh = shell_in("/")?;
    command::output(as_root(&sh)?.arg("update")).map(drop)
}

/// Those of `packages` that apt has no version of: on a new machine, or one whose lists were removed,
/// all that are not installed.
pub fn unknown<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    let sh = shell_in("/")?;
    let said = command::output(command(&sh, "apt-cache").arg("policy").args(packages))?;
    Ok(without_candidate(packages, &said))
}

/// Those of `packages` that have no candidate in what `apt-cache policy` says.
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

/// What `apt-get install` of `packages` would do. An error where it cannot be done.
pub fn simulate(packages: &[&str]) -> Result<Plan> {
    let sh = shell_in("/")?;
    let said = command::output(
        command(&sh, "apt-get")
            .args(["--simulate", "install", "--allow-downgrades"])
            .args(INSTALL)
            .args(packages),
    )?;
    Plan::parse(&said, is_older)
}

/// Installs packages and removes none: apt gives up instead.
pub fn install(packages: &[&str]) -> Result<()> {
    let sh = shell_in("/")?;
    let cmd = as_root(&sh)?
        .arg("install")
        .args(INSTALL)
        .arg("--no-remove")
        // configuration files that the user changed stay as they are, without a question
        .args(["-o", "DPkg::Options::=--force-confdef"])
        .args(["-o", "DPkg::Options::=--force-confold"]);
    command::output(cmd.args(packages)).map(drop)
}

const INSTALL: [&str; 2] = ["--yes", "--no-install-recommends"];

/// Whether version `new` is older than `old`, by dpkg's order of versions.
fn is_older(new: &str, old: &str) -> Result<bool> {
    let sh = shell_in("/")?;
    let said = command::capture(command(&sh, "dpkg").args(["--compare-versions", new, "lt", old]))?;
    Ok(said.status.success())
}

/// apt-get with the right to change the machine.
fn as_root(sh: &Shell) -> Result<Cmd<'_>> {
    let cmd = match Rights::of_this_process() {
        // sudo drops the environment
        Rights::Sudo => command(sh, "sudo").args(["env", "LC_ALL=C", FRONTEND, "apt-get"]),
        Rights::Root | Rights::None => command(sh, "env").args(["LC_ALL=C", FRONTEND, "apt-get"]),
    };
    Ok(cmd
        .arg("--quiet")
        // another apt, for example the machine's daily one, may be at work
        .args(["-o", "DPkg::Lock::Timeout=300"]))
}

/// Packages ask no questions.
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
