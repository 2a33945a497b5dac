// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What an installation would do to the machine, according to `apt-get --simulate`, and which packages
//! can be installed without removing or downgrading others.

use anyhow::Result;

/// What an installation would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Packages that would be installed or upgraded.
    pub changes: Vec<Change>,
    /// Packages that would be removed.
    pub removed: Vec<String>,
    /// Packages that would be replaced by an older version.
    pub downgraded: Vec<String>,
}

/// A package that would be installed or upgraded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Name of the package.
    pub package: String,
    /// The installed version.
    pub old: Option<String>,
    /// The version after the installation.
    pub new: String,
}

impl Plan {
    /// Parses the output of `apt-get --simulate`:
    ///
    /// ```text
    /// Inst package (new Origin:suite [arch])
    /// Inst package [old] (new Origin:suite [arch])
    /// Remv package [old]
    /// ```
    pub fn parse(simulation: &str, is_older: impl Fn(&str, &str) -> Result<bool>) -> Result<Plan> {
        let mut plan = Plan::default();
        for line in simulation.lines() {
            let mut words = line.split_whitespace();
            let (Some(verb), Some(package)) = (words.next(), words.next()) else {
                continue;
            };
            let package = package.to_owned();
            match verb {
                "Remv" | "Purg" => plan.removed.push(package),
                "Inst" => {
                    let rest: Vec<&str> = words.collect();
                    let new = rest.iter().find_map(|word| word.strip_prefix('('));
                    let old = rest
                        .first()
                        .and_then(|word| word.strip_prefix('['))
                        .map(|word| word.trim_end_matches(']').to_owned());
                    let new = new.unwrap_or_default().to_owned();
                    if let Some(old) = &old
                        && is_older(&new, old)?
                    {
                        plan.downgraded.push(package.clone());
                    }
                    plan.changes.push(Change { package, old, new });
                }
                _ => (),
            }
        }
        Ok(plan)
    }

    /// Describes what would be removed and downgraded; `None` if nothing would.
    #[must_use]
    pub fn losses(&self) -> Option<String> {
        let part = |verb: &str, packages: &[String]| {
            (!packages.is_empty()).then(|| format!("{verb} {}", packages.join(", ")))
        };
        let parts: Vec<String> = [
            part("remove", &self.removed),
            part("downgrade", &self.downgraded),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| parts.join(" and "))
    }

    /// The change of `package`, if it changes.
    #[must_use]
    pub fn change(&self, package: &str) -> Option<&Change> {
        self.changes.iter().find(|change| change.package == package)
    }
}

/// Which packages can be installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Packages that can be installed together.
    pub installable: Vec<String>,
    /// What the installation of those does.
    pub plan: Plan,
    /// Packages that cannot be installed, each with the reason.
    pub others: Vec<(String, String)>,
}

/// Splits `packages` into those that can be installed together without removing or downgrading
/// others, and the rest.
pub fn split(packages: &[&str], simulate: &dyn Fn(&[&str]) -> Result<Plan>) -> Split {
    let others = refused(packages, false, simulate);
    let accepted: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| others.iter().all(|(other, _)| other != package))
        .collect();
    if accepted.is_empty() {
        return Split {
            others,
            ..Split::default()
        };
    }
    let mut split = match try_install(&accepted, simulate) {
        Ok(plan) => Split {
            installable: accepted.iter().map(|name| (*name).to_owned()).collect(),
            plan,
            others: Vec::new(),
        },
        // each one alone can be installed, but they conflict
        Err(_) => one_by_one(&accepted, simulate),
    };
    split.others.splice(0..0, others);
    split
}

/// The `packages` that cannot be installed alone, found by bisection: a simulation takes a second, and
/// most packages can be installed. `is_bad` means that `packages` are known not to install together.
fn refused(
    packages: &[&str],
    is_bad: bool,
    simulate: &dyn Fn(&[&str]) -> Result<Plan>,
) -> Vec<(String, String)> {
    let [package] = packages else {
        if packages.is_empty() || (!is_bad && try_install(packages, simulate).is_ok()) {
            return Vec::new();
        }
        let (first, second) = packages.split_at(packages.len() / 2);
        let mut all = refused(first, false, simulate);
        // if the whole fails and the first half does not, the second half fails
        all.extend(refused(second, all.is_empty(), simulate));
        return all;
    };
    match try_install(packages, simulate) {
        Ok(_) => Vec::new(),
        Err(reason) => vec![((*package).to_owned(), reason)],
    }
}

/// Like [`split`], adding one package after the other.
fn one_by_one(packages: &[&str], simulate: &dyn Fn(&[&str]) -> Result<Plan>) -> Split {
    let mut split = Split::default();
    let mut accepted = Vec::new();
    for package in packages {
        accepted.push(*package);
        match try_install(&accepted, simulate) {
            Ok(plan) => split.plan = plan,
            Err(reason) => {
                accepted.pop();
                split.others.push(((*package).to_owned(), reason));
            }
        }
    }
    split.installable = accepted.into_iter().map(str::to_owned).collect();
    split
}

/// The plan, if nothing is removed or downgraded; else the reason.
fn try_install(
    packages: &[&str],
    simulate: &dyn Fn(&[&str]) -> Result<Plan>,
) -> Result<Plan, String> {
    match simulate(packages) {
        Ok(plan) => match plan.losses() {
            None => Ok(plan),
            Some(losses) => Err(format!("installing would {losses}")),
        },
        Err(error) => Err(reason(&format!("{error:#}"))),
    }
}

/// The line of apt's message with the reason.
fn reason(message: &str) -> String {
    let mut lines = message
        .lines()
        .map(|line| line.trim_start_matches([' ', '|']));
    let dependency = lines.clone().find(|line| {
        ["Depends:", "Conflicts:", "Breaks:"]
            .iter()
            .any(|word| line.contains(word))
    });
    dependency
        .or_else(|| lines.clone().find(|line| line.starts_with("E: ")))
        .or_else(|| lines.next_back())
        .map_or_else(String::new, |line| format!("apt cannot install it: {line}"))
}

#[cfg(test)]
mod tests {
    use anyhow::{anyhow, bail};

    use super::*;

    const SIMULATION: &str = "Reading package lists...\n\
        Remv qemu-utils [1:10.0.2+ds-2]\n\
        Inst seabios (1.16.2-1 Debian:12.15/oldstable [all])\n\
        Inst libc6 [2.36-9] (2.36-10 Debian:12.15/oldstable [amd64]) []\n\
        Inst pahole [2.0] (1.24-4 Debian:12.15/oldstable [amd64])\n\
        Conf seabios (1.16.2-1 Debian:12.15/oldstable [all])\n";

    fn is_older(new: &str, old: &str) -> Result<bool> {
        Ok(new == "1.24-4" && old == "2.0")
    }

    #[test]
    fn installed_removed_and_downgraded_packages_are_parsed() {
        let plan = Plan::parse(SIMULATION, is_older).unwrap();
        assert_eq!(plan.removed, ["qemu-utils"]);
        assert_eq!(plan.downgraded, ["pahole"]);
        assert_eq!(
            plan.losses().as_deref(),
            Some("remove qemu-utils and downgrade pahole")
        );
        let libc = plan.change("libc6").unwrap();
        assert_eq!(
            (libc.old.as_deref(), libc.new.as_str()),
            (Some("2.36-9"), "2.36-10")
        );
        assert_eq!(plan.change("seabios").unwrap().old, None);
        assert_eq!(Plan::default().losses(), None);
    }

    /// A machine on which `qemu` replaces `utils`, `held` cannot be installed, and `one` and `two`
    /// conflict.
    fn machine(packages: &[&str]) -> Result<Plan> {
        if packages.contains(&"held") {
            bail!("`apt-get` failed\n  | held : Depends: other (>= 2)\n  | E: broken packages");
        }
        if packages.contains(&"one") && packages.contains(&"two") {
            return Err(anyhow!(
                "`apt-get` failed\n  | E: unable to correct problems"
            ));
        }
        let removed = packages.contains(&"qemu").then(|| "utils".to_owned());
        let change = |package: &&str| Change {
            package: (*package).to_owned(),
            old: None,
            new: "1".to_owned(),
        };
        Ok(Plan {
            changes: packages.iter().map(change).collect(),
            removed: removed.into_iter().collect(),
            ..Plan::default()
        })
    }

    #[test]
    fn a_package_that_would_remove_another_is_not_installed() {
        let split = split(&["bc", "qemu", "xz"], &machine);
        assert_eq!(split.installable, ["bc", "xz"]);
        assert_eq!(split.plan.changes.len(), 2);
        assert_eq!(split.plan.losses(), None);
        let reason = "installing would remove utils".to_owned();
        assert_eq!(split.others, [("qemu".to_owned(), reason)]);
    }

    #[test]
    fn the_reason_is_taken_from_apts_message() {
        let split = split(&["held"], &machine);
        assert!(split.installable.is_empty());
        let reason = "apt cannot install it: held : Depends: other (>= 2)".to_owned();
        assert_eq!(split.others, [("held".to_owned(), reason)]);
    }

    #[test]
    fn of_two_conflicting_packages_the_first_is_installed() {
        let split = split(&["one", "two", "bc"], &machine);
        assert_eq!(split.installable, ["one", "bc"]);
        assert_eq!(split.others.len(), 1);
        assert!(split.others[0].1.ends_with("E: unable to correct problems"));
    }

    #[test]
    fn few_simulations_find_packages_that_cannot_be_installed() {
        let names: Vec<String> = (0..36).map(|number| format!("p{number}")).collect();
        let mut packages: Vec<&str> = names.iter().map(String::as_str).collect();
        packages.extend(["held", "qemu"]);
        let count = std::cell::Cell::new(0);
        let counted = |packages: &[&str]| {
            count.set(count.get() + 1);
            machine(packages)
        };
        let split = split(&packages, &counted);
        assert_eq!((split.installable.len(), split.others.len()), (36, 2));
        assert!(count.get() <= 12, "{} simulations", count.get());
    }

    #[test]
    fn without_packages_there_is_no_simulation() {
        let never = |_: &[&str]| -> Result<Plan> { panic!("apt is simulated") };
        assert_eq!(super::split(&[], &never), Split::default());
    }
}
