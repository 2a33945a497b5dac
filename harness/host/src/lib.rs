// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The host side of the harness: from the kernel's source to the verdict on a run.
//!
//! The modules are in the order of the data flow; each one uses only those before it.

pub mod build;
pub mod cmd;
pub mod env;
pub mod judge;
pub mod queue;
pub mod report;
pub mod vm;

#[cfg(test)]
mod test_support;
