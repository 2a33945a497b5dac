// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A kernel tree as links to another one, with few of the selftests in it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Where the tree has the selftests of BPF.
pub const FOLDER: &str = "tools/testing/selftests/bpf";
/// The folder in it of the programs for the kernel.
pub const PROGS: &str = "progs";
/// The folder in it of the programs that run these.
pub const TESTS: &str = "prog_tests";

/// A program without a test; the Makefile reads test_progs's own types out of its object.
const NEEDED: &str = "btf_data.c";

/// Makes a tree at `to` of links to that at `from`. Of the selftests' programs it has only `files`,
/// which are paths in [`FOLDER`], and the headers.
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

/// Links all entries of `from` into the new folder `to` that are wanted, but for hidden ones.
fn link_all(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    let entries = from
        .read_dir()
        .with_context(|| format!("cannot read {}; is this a kernel tree?", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with('.') || !wanted(&text) {
            continue;
        }
        let link = to.join(&name);
        symlink(entry.path(), &link)
            .with_context(|| format!("cannot make the link {}", link.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::names;

    #[test]
    fn of_the_selftests_only_the_chosen_and_the_headers_are_there() {
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
        // tests.h is what the Makefile writes, of the tests that it finds
        assert_eq!(sorted(&bpf.join("prog_tests")), ["a.c"]);
        assert!(bpf.join("Makefile").is_file());
    }
}
