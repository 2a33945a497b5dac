// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The machine: architecture, commands, locks, the cache, packages and tools.

pub mod context;
pub mod guest_machine;
pub mod progress;

pub(crate) mod apt;
pub(crate) mod arch;
pub(crate) mod atomic;
pub(crate) mod cache_key;
pub(crate) mod command;
pub(crate) mod diff;
pub(crate) mod disk;
pub(crate) mod elf;
pub(crate) mod errno;
pub(crate) mod lock;
pub(crate) mod markdown;
pub(crate) mod paths;
pub(crate) mod setup;
pub(crate) mod tools;
pub(crate) mod unpacked;
