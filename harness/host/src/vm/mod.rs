// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The virtual machine: virtme-ng, QEMU, the channel and the console.

pub mod machine;
