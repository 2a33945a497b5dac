// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Reports: of a run, against mainline, of the benchmark, of the nightly matrix.

pub mod annotations;
pub mod bench;
pub mod generated;
pub mod junit;
pub mod ktap;
pub mod mainline_diff;
pub mod matrix;
pub mod nightly;
pub mod run_report;
pub mod setup_record;
pub mod snapshot_diff;
pub mod stages;
