// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The verdict on a run: protocol, console, normalisation and snapshots.

pub mod console;
pub mod feature;
pub mod normalise;
pub mod per_test;
pub mod snapshot;
pub mod verdict;
