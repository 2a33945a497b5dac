// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The machine: architecture, commands, locks, the cache, packages and tools.

pub mod apt;
pub mod arch;
pub mod cache_key;
pub mod command;
pub mod context;
pub mod diff;
pub mod disk;
pub mod elf;
pub mod errno;
pub mod lock;
pub mod markdown;
pub mod paths;
pub mod progress;
pub mod setup;
pub mod tools;
pub mod unpacked;
