// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The host side of the harness: from the source of a kernel to the verdict on a run of a guest.
//!
//! The folders are in the order of the data flow: env, queue, build, vm, judge, report, cmd. A module
//! uses modules of its own and of earlier folders only; the test in `imports.rs` enforces this.

pub mod build;
pub mod cmd;
pub mod env;
pub mod judge;
pub mod queue;
pub mod report;
pub mod vm;

#[cfg(test)]
mod imports;
#[cfg(test)]
mod test_support;
