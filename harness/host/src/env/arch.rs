// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The architectures of a guest, and what each tool calls them.

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

/// What the tools call an architecture.
#[derive(Debug)]
pub struct Names {
    /// Name of the architecture in this project: `ARCH=`, `build/<base>/<arch>/`, `kernel-config/`.
    pub name: &'static str,
    /// `uname -m`, and virtme-ng's word for it.
    pub machine: &'static str,
    /// `ARCH=` of the kernel's make.
    pub kernel: &'static str,
    /// `CROSS_COMPILE=` of the kernel's make, where it is not this machine's own architecture.
    pub cross: &'static str,
    /// The image that QEMU boots, in the build folder of the kernel.
    pub image: &'static str,
    /// What Debian calls it.
    pub debian: &'static str,
    /// Target triple of the guest agent.
    pub rust: &'static str,
    /// The system emulator.
    pub qemu: &'static str,
    /// What the BPF headers call it: `-D__TARGET_ARCH_<bpf>`.
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
    /// Every architecture that the harness knows.
    pub const ALL: [Arch; 2] = [Arch::X86_64, Arch::Arm64];

    /// What the tools call this architecture.
    pub fn names(self) -> &'static Names {
        match self {
            Arch::X86_64 => &X86_64,
            Arch::Arm64 => &ARM64,
        }
    }

    /// Those whose guests can be built here: this machine's own, and arm64, for which every machine
    /// gets a cross compiler.
    pub fn buildable_here() -> Vec<Arch> {
        let own = Arch::of_this_machine().ok();
        let is_buildable = |arch: &Arch| *arch == Arch::Arm64 || Some(*arch) == own;
        Arch::ALL.into_iter().filter(is_buildable).collect()
    }

    /// The architecture of the machine that this runs on.
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

    /// Takes the project's name, and those of `uname -m` and the kernel's make.
    fn from_str(text: &str) -> Result<Arch> {
        match text {
            "x86_64" | "x86-64" | "x86" | "amd64" => Ok(Arch::X86_64),
            "arm64" | "aarch64" => Ok(Arch::Arm64),
            _ => bail!("no architecture is called `{text}`; there are x86_64 and arm64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_is_read_back_from_its_names() {
        for arch in Arch::ALL {
            for name in [arch.names().name, arch.names().machine, arch.names().kernel] {
                assert_eq!(name.parse::<Arch>().ok(), Some(arch), "{name}");
            }
        }
        assert!("riscv64".parse::<Arch>().is_err());
    }
}
