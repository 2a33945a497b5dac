// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The command line and its tasks.

pub mod check;
pub mod cli;
pub mod pipeline;
pub mod setup_test;
pub mod tasks;
pub mod workflows;
