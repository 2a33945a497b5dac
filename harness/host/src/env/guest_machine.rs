// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The machine that a kernel configuration needs: `kernel-config/<config>.machine`.
//!
//! Without that file, or without `only` in it, a configuration is for every architecture. Without the file
//! its guests have the machine of their architecture.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;
use serde::Deserialize;

use crate::env::arch::Arch;
use crate::env::context::Context;

/// What a configuration needs in addition to the machine of the architecture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestMachine {
    /// The architectures that have the configuration, with the reason; `None` for all.
    only: Option<(Vec<Arch>, String)>,
    /// Whether the machine exists in software emulation only.
    pub emulated: bool,
    /// Further arguments of QEMU.
    pub qemu: Vec<String>,
    /// Further kernel parameters.
    pub parameters: Vec<String>,
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MachineFile {
    #[serde(default)]
    only: Vec<String>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    emulated: bool,
    #[serde(default)]
    qemu: Vec<String>,
    #[serde(default)]
    parameters: Vec<String>,
}

impl GuestMachine {
    /// The machine that the configuration of `ctx` needs. Fails if the architecture of `ctx` does not have
    /// the configuration.
    pub fn of(ctx: &Context) -> Result<GuestMachine> {
        let machine = GuestMachine::read(&ctx.repo.join("kernel-config"), &ctx.config)?;
        if let Some((archs, reason)) = &machine.only
            && !archs.contains(&ctx.arch)
        {
            let names: Vec<String> = archs.iter().map(Arch::to_string).collect();
            bail!(
                "CONFIG={} exists for {} only, not for {}: {reason} (kernel-config/{0}.machine); set ARCH={}",
                ctx.config,
                names.join(" and "),
                ctx.arch,
                names[0]
            );
        }
        Ok(machine)
    }

    /// The machine of `config`, from its file in the folder of the fragments.
    pub fn read(folder: &Path, config: &str) -> Result<GuestMachine> {
        let path = folder.join(format!("{config}.machine"));
        if !path.exists() {
            return Ok(GuestMachine::default());
        }
        parse(&fs::read_to_string(&path)?)
            .with_context(|| format!("{} does not describe a machine", path.display()))
    }

    /// Whether `arch` has the configuration.
    #[must_use]
    pub fn is_for(&self, arch: Arch) -> bool {
        self.only
            .as_ref()
            .is_none_or(|(archs, _)| archs.contains(&arch))
    }
}

fn parse(text: &str) -> Result<GuestMachine> {
    let file: MachineFile = toml::from_str(text)?;
    let archs: Result<Vec<Arch>> = file.only.iter().map(|name| name.parse()).collect();
    let archs = archs?;
    let reason = file.reason.trim();
    ensure!(
        archs.is_empty() == reason.is_empty(),
        "`only` and `reason` belong together: architectures, and why there are no others"
    );
    Ok(GuestMachine {
        only: (!archs.is_empty()).then(|| (archs, reason.to_owned())),
        emulated: file.emulated,
        qemu: file.qemu,
        parameters: file.parameters,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "only = ['arm64']\nreason = 'no other CPU has tags'\nemulated = true\n\
                        qemu = ['-machine', 'mte=on']\nparameters = ['kasan=on']\n";

    fn of(arch: Arch, config: &str) -> Result<GuestMachine> {
        let dir = tempfile::tempdir().unwrap();
        let ctx = Context {
            arch,
            config: config.to_owned(),
            ..Context::of_test(dir.path())
        };
        let folder = ctx.repo.join("kernel-config");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("tags.machine"), FILE).unwrap();
        GuestMachine::of(&ctx)
    }

    #[test]
    fn a_configuration_without_a_file_is_for_every_architecture() {
        for arch in Arch::ALL {
            let machine = of(arch, "debug").unwrap();
            assert_eq!(machine, GuestMachine::default());
            assert!(machine.is_for(arch));
        }
    }

    #[test]
    fn a_configuration_is_rejected_on_other_architectures() {
        let machine = of(Arch::Arm64, "tags").unwrap();
        assert!(machine.emulated && !machine.is_for(Arch::X86_64));
        assert_eq!(machine.qemu, ["-machine", "mte=on"]);
        assert_eq!(machine.parameters, ["kasan=on"]);
        assert_eq!(
            of(Arch::X86_64, "tags").unwrap_err().to_string(),
            "CONFIG=tags exists for arm64 only, not for x86_64: no other CPU has tags \
             (kernel-config/tags.machine); set ARCH=arm64"
        );
    }

    #[test]
    fn a_file_without_architectures_is_for_all() {
        let machine = parse("parameters = ['sysctl.kernel.kptr_restrict=1']").unwrap();
        assert!(Arch::ALL.into_iter().all(|arch| machine.is_for(arch)));
        assert_eq!(machine.parameters.len(), 1);
    }

    #[test]
    fn a_file_names_architectures_and_a_reason() {
        for (from, to, expected) in [
            ("['arm64']", "[]", "belong together"),
            ("arm64", "riscv64", "unknown architecture `riscv64`"),
            ("no other CPU has tags", " ", "belong together"),
            ("qemu", "quemu", "unknown field `quemu`"),
        ] {
            let error = parse(&FILE.replacen(from, to, 1)).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
