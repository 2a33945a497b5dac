// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The files that a run boots: the kernel, bpftool, the guest agent and the compiled tests.

pub mod agent;
pub mod kernel;
pub mod selftests;

pub(crate) mod bpftool;
pub(crate) mod kconfig;
pub(crate) mod libelf;
pub(crate) mod sysroot;
