// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Helpers for unit tests.

use std::path::Path;

/// The names of the files in `dir`, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = dir
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
