// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The tasks: one module per target of `make`, each with its flags and a `run()`.

pub mod apply;
pub mod bench;
pub mod boot_test;
pub mod cache_key;
pub mod check_series;
pub mod compare;
mod decode;
pub mod demo;
pub mod doctor;
pub mod export;
pub mod matrix;
pub mod nightly;
pub mod page_test;
pub mod refresh;
pub mod report;
pub mod review;
pub mod setup;
pub mod setup_test;
pub mod shell;
pub mod snapshots_changed;
pub mod test;
pub mod tree;
pub mod tree_tests;
