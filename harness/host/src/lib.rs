// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The host side of the harness: from a kernel's source to the verdict over a guest's run.
//!
//! The modules stand in the order in which the work flows; each knows only what comes before it.

pub mod build;
pub mod cmd;
pub mod env;
pub mod judge;
pub mod queue;
pub mod report;
pub mod vm;

#[cfg(test)]
mod test_support;
