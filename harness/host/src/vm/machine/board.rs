// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The parts of the command line that depend on the architecture of the guest.

use super::Accel;
use crate::env::context::Arch;

/// Arguments and parameters of an architecture.
#[derive(Debug)]
pub struct Board {
    /// Arguments of QEMU in software emulation; they override virtme-ng's.
    emulation: &'static [&'static str],
    /// Further arguments of QEMU if the clock counts instructions.
    pub counting: &'static [&'static str],
    /// Kernel parameters.
    pub parameters: &'static [&'static str],
    /// The guest's init.
    pub init: Init,
}

/// The guest's init, from virtme-ng.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// The program.
    Program,
    /// The script, which needs bash and common tools.
    Script,
}

const X86_64: Board = Board {
    // virtme-ng's default is the newest processor
    emulation: &[],
    // QEMU counts every byte of `rep movsb` as an instruction, which dominates the times of tests that
    // copy text; without ERMS the kernel copies words
    counting: &["-icount", "shift=0", "-cpu", "max,erms=off"],
    // the kernel tests its timer for some ticks, which fails if a busy host delays the guest
    parameters: &["no_timer_check"],
    init: Init::Program,
};

const ARM64: Board = Board {
    emulation: &[
        // the newest processor; the architected pointer authentication is slow to emulate
        "-cpu",
        "max,pauth-impdef=on",
        // the interrupt controller with priorities, for NMIs
        "-machine",
        "gic-version=3",
    ],
    counting: &["-icount", "shift=0"],
    // NMIs: interrupts that arrive while others are masked
    parameters: &["irqchip.gicv3_pseudo_nmi=1"],
    // the program in virtme-ng's package is for x86-64
    init: Init::Script,
};

impl Board {
    /// The board of an architecture.
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
            // virtme-ng selects the processor and the interrupt controller of this machine
            Accel::Kvm => &[],
        }
    }
}
