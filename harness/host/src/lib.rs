// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The host side of the harness: from a kernel's source to the verdict over a guest's run.
//!
//! The modules stand in the order in which the work flows; each knows only what comes before it.

pub mod arch;
pub mod command;
pub mod digest;
pub mod elf;
pub mod paths;
pub mod progress;

pub mod context;
pub mod disk;
pub mod lock;

pub mod apt;
pub mod tools;
pub mod unpacked;

pub mod setup;

pub mod base;
pub mod export;
pub mod gittree;
pub mod refresh;
pub mod series;
pub mod source;

pub mod kconfig;
pub mod kernel;

pub mod apply;

pub mod setup_test;

pub mod bpftool;

pub mod selftests;

pub mod libelf;
pub mod sysroot;

pub mod agent;
pub mod machine;

pub mod console;
pub mod feature;
pub mod verdict;

pub mod check;

pub mod compare;
pub mod errno;
pub mod normalise;
pub mod report;
pub mod snapshot;

pub mod bench;
pub mod beside;
pub mod changed;
pub mod diff;
pub mod markdown;
pub mod matrix;
pub mod nightly;
pub mod workflows;

pub mod trial;

pub mod cli;
pub mod tasks;

#[cfg(test)]
mod test_support;
