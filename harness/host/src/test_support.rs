// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What the unit tests of several modules need.

use std::path::Path;

/// The names of what lies in `dir`, in order.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = dir
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
