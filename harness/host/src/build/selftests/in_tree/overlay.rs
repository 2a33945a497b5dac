// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A kernel tree of links to another tree, with only some of its BPF selftests.

use fs_err::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;

/// The folder of the BPF selftests in the tree.
pub const FOLDER: &str = "tools/testing/selftests/bpf";
/// Its subfolder of BPF programs.
pub const PROGS: &str = "progs";
/// Its subfolder of tests.
pub const TESTS: &str = "prog_tests";

/// A program without a test; the Makefile reads the types of test_progs from its object.
const NEEDED: &str = "btf_data.c";

/// Makes a tree at `to` of links to the tree at `from`. In [`PROGS`] and [`TESTS`] it has only `files`, which
/// are paths in [`FOLDER`], and headers.
pub fn make(from: &Path, to: &Path, files: &[String]) -> Result<()> {
    let mut folder = (from.to_owned(), to.to_owned());
    for below in Path::new(FOLDER) {
        link_all(&folder.0, &folder.1, |name| {
            Path::new(name) != Path::new(below)
        })?;
        folder = (folder.0.join(below), folder.1.join(below));
    }
    let (from, to) = folder;
    link_all(&from, &to, |name| ![PROGS, TESTS].contains(&name))?;
    for part in [PROGS, TESTS] {
        link_all(&from.join(part), &to.join(part), |name| {
            name.ends_with(".h") && name != "tests.h"
                || part == PROGS && name == NEEDED
                || files.iter().any(|file| *file == format!("{part}/{name}"))
        })?;
    }
    Ok(())
}

/// Links the entries of `from` that are `wanted` into the new folder `to`, except hidden ones.
fn link_all(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).context("is this a kernel tree?")? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with('.') || !wanted(&text) {
            continue;
        }
        symlink(entry.path(), to.join(&name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::names;

    #[test]
    fn an_overlay_has_the_chosen_files_and_headers() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        let bpf = from.join(FOLDER);
        for file in [
            "progs/a.c",
            "progs/b.c",
            "progs/x.h",
            "progs/btf_data.c",
            "prog_tests/a.c",
            "prog_tests/b.c",
            "prog_tests/tests.h",
            "Makefile",
        ] {
            let file = bpf.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        fs::create_dir(from.join(".git")).unwrap();
        fs::create_dir(from.join("kernel")).unwrap();

        make(
            &from,
            &to,
            &["progs/a.c", "prog_tests/a.c"].map(str::to_owned),
        )
        .unwrap();
        let sorted = |dir: &Path| {
            let mut names = names(dir);
            names.sort();
            names
        };
        assert_eq!(sorted(&to), ["kernel", "tools"]);
        let bpf = to.join(FOLDER);
        assert_eq!(sorted(&bpf.join("progs")), ["a.c", "btf_data.c", "x.h"]);
        // the Makefile generates tests.h
        assert_eq!(sorted(&bpf.join("prog_tests")), ["a.c"]);
        assert!(bpf.join("Makefile").is_file());
    }
}
