// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The command line and its tasks. `main` parses with `cli` and runs with `dispatch`; tasks know neither.

mod cargo;
pub mod check;
pub mod cli;
pub mod dispatch;
pub mod exit;
pub mod pipeline;
mod setup_roots;
mod tasks;
mod workflows;
