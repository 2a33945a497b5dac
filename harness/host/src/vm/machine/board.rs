// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What a guest of an architecture needs of QEMU, virtme-ng and its kernel beyond what all need.

use super::Accel;
use crate::env::context::Arch;

/// What a guest of an architecture needs.
#[derive(Debug)]
pub struct Board {
    /// Arguments of QEMU in software emulation; they override virtme-ng's.
    emulation: &'static [&'static str],
    /// Arguments of QEMU beside them where the clock counts instructions.
    pub counting: &'static [&'static str],
    /// Parameters of the kernel.
    pub parameters: &'static [&'static str],
    /// What virtme-ng runs as the guest's first process.
    pub init: Init,
}

/// What virtme-ng runs as the guest's first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// The program that comes with it.
    Program,
    /// The script that comes with it, for bash and common tools.
    Script,
}

const X86_64: Board = Board {
    // virtme-ng's own choice is the newest processor
    emulation: &[],
    // QEMU counts every byte of a `rep movsb` as an instruction, which hides all else where text is
    // copied; on a processor without fast ones the kernel copies words
    counting: &["-icount", "shift=0", "-cpu", "max,erms=off"],
    // the kernel tries its timer for some ticks, and gives up where a busy host runs the guest too late
    parameters: &["no_timer_check"],
    init: Init::Program,
};

const ARM64: Board = Board {
    emulation: &[
        // the newest processor; the architecture's way to sign pointers takes long to emulate
        "-cpu",
        "max,pauth-impdef=on",
        // the interrupt controller that has priorities, for NMIs
        "-machine",
        "gic-version=3",
    ],
    counting: &["-icount", "shift=0"],
    // interrupts that come through while others are off
    parameters: &["irqchip.gicv3_pseudo_nmi=1"],
    // the package's program is one of x86-64, wherever it is installed
    init: Init::Script,
};

impl Board {
    /// That of an architecture.
    pub fn of(arch: Arch) -> &'static Board {
        match arch {
            Arch::X86_64 => &X86_64,
            Arch::Arm64 => &ARM64,
        }
    }

    /// Arguments of QEMU.
    pub fn qemu(&self, accel: Accel) -> &'static [&'static str] {
        match accel {
            Accel::Tcg => self.emulation,
            // virtme-ng takes the processor and the interrupt controller of this machine
            Accel::Kvm => &[],
        }
    }
}
