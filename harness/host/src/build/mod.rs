// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What a run boots: the kernel, bpftool, the guest agent and the compiled tests.

pub mod agent;
pub mod bpftool;
pub mod kconfig;
pub mod kernel;
pub mod libelf;
pub mod selftests;
pub mod sysroot;
