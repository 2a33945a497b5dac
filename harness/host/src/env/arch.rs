// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The architectures of guests, and their names in each tool.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};

/// Architecture of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit Arm.
    Arm64,
}

/// The names of an architecture.
#[derive(Debug)]
pub struct Names {
    /// In this project: `ARCH=`, `build/<base>/<arch>/`, `kernel-config/`.
    pub name: &'static str,
    /// `uname -m`, and virtme-ng's `--arch`.
    pub machine: &'static str,
    /// `ARCH=` of the kernel's make.
    pub kernel: &'static str,
    /// Prefix of the cross compiler; see also [`Arch::cross_prefix`].
    pub cross: &'static str,
    /// The image that QEMU boots, in a build folder of the kernel.
    pub image: &'static str,
    /// Debian's name.
    pub debian: &'static str,
    /// Target triple of the guest agent.
    pub rust: &'static str,
    /// The system emulator.
    pub qemu: &'static str,
    /// In the BPF headers: `-D__TARGET_ARCH_<bpf>`.
    pub bpf: &'static str,
}

const X86_64: Names = Names {
    name: "x86_64",
    machine: "x86_64",
    kernel: "x86_64",
    cross: "x86_64-linux-gnu-",
    image: "arch/x86/boot/bzImage",
    debian: "amd64",
    rust: "x86_64-unknown-linux-gnu",
    qemu: "qemu-system-x86_64",
    bpf: "x86",
};

const ARM64: Names = Names {
    name: "arm64",
    machine: "aarch64",
    kernel: "arm64",
    cross: "aarch64-linux-gnu-",
    image: "arch/arm64/boot/Image",
    debian: "arm64",
    rust: "aarch64-unknown-linux-gnu",
    qemu: "qemu-system-aarch64",
    bpf: "arm64",
};

impl Arch {
    /// Every supported architecture.
    pub const ALL: [Arch; 2] = [Arch::X86_64, Arch::Arm64];

    /// The names of this architecture.
    pub fn names(self) -> &'static Names {
        match self {
            Arch::X86_64 => &X86_64,
            Arch::Arm64 => &ARM64,
        }
    }

    /// Prefix of the compiler and binutils for this architecture, `CROSS_COMPILE=` of the kernel's
    /// make: empty on a machine of this architecture.
    pub fn cross_prefix(self) -> &'static str {
        match Arch::of_this_machine() {
            Ok(own) if own == self => "",
            _ => self.names().cross,
        }
    }

    /// The architectures whose guests can be built on this machine: its own, and arm64, for which
    /// set-up installs a cross compiler.
    pub fn buildable_here() -> Vec<Arch> {
        let own = Arch::of_this_machine().ok();
        let is_buildable = |arch: &Arch| *arch == Arch::Arm64 || Some(*arch) == own;
        Arch::ALL.into_iter().filter(is_buildable).collect()
    }

    /// The architecture of this machine.
    pub fn of_this_machine() -> Result<Arch> {
        std::env::consts::ARCH.parse()
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names().name)
    }
}

impl FromStr for Arch {
    type Err = anyhow::Error;

    /// Accepts the names of the project, of `uname -m` and of the kernel's make.
    fn from_str(text: &str) -> Result<Arch> {
        match text {
            "x86_64" | "x86-64" | "x86" | "amd64" => Ok(Arch::X86_64),
            "arm64" | "aarch64" => Ok(Arch::Arm64),
            _ => bail!("unknown architecture `{text}`; expected x86_64 or arm64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_is_parsed_from_its_names() {
        for arch in Arch::ALL {
            for name in [arch.names().name, arch.names().machine, arch.names().kernel] {
                assert_eq!(name.parse::<Arch>().ok(), Some(arch), "{name}");
            }
        }
        assert!("riscv64".parse::<Arch>().is_err());
    }

    #[test]
    fn only_a_foreign_architecture_has_a_cross_prefix() {
        let own = Arch::of_this_machine().unwrap();
        for arch in Arch::ALL {
            assert_eq!(arch.cross_prefix().is_empty(), arch == own, "{arch}");
        }
    }
}
