// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Selects tests of the tree by name, with the BPF programs that they include.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context as _, Result};
use fs_err as fs;
use regex::Regex;

use super::overlay::{PROGS, TESTS};

/// `#include "arena_htab.skel.h"` in a test: the Makefile makes this header of `progs/arena_htab.c`.
/// Light skeletons are of other programs, and are not built.
static SKELETON: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?m)^#include "(\w+)\.skel\.h""#));

/// `#include "file.c"` in a program.
static SOURCE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"(?m)^#include "(\w+)\.c""#));

/// An object that a test opens by its name.
static OBJECT: LazyLock<Regex> = LazyLock::new(|| pattern(r#""(?:\./)?(\w+)\.bpf\.o""#));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

/// The files of the tests in `folder` whose names match, as paths below it: the tests, and the programs
/// that they include or open.
pub fn files(folder: &Path, filter: &Regex) -> Result<Vec<String>> {
    let mut files = BTreeSet::new();
    let mut programs = Vec::new();
    for entry in fs::read_dir(folder.join(TESTS)).context("is this a kernel tree?")? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name
            .strip_suffix(".c")
            .is_some_and(|test| filter.is_match(test))
        {
            files.insert(format!("{TESTS}/{name}"));
            let text = fs::read_to_string(&path)?;
            programs.extend(names(&text, &SKELETON));
            programs.extend(names(&text, &OBJECT));
        }
    }
    while let Some(program) = programs.pop() {
        let file = format!("{PROGS}/{program}.c");
        let path = folder.join(&file);
        // skeletons of linked objects have no file of their name
        if path.is_file() && files.insert(file) {
            programs.extend(names(&fs::read_to_string(&path)?, &SOURCE));
        }
    }
    Ok(files.into_iter().collect())
}

/// What the pattern's group matches in the text.
fn names(text: &str, pattern: &Regex) -> Vec<String> {
    pattern
        .captures_iter(text)
        .map(|found| found[1].to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_come_with_the_programs_that_they_include() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            (
                "prog_tests/arena.c",
                "#include \"a.skel.h\"\n#include \"linked.skel.h\"\nload(\"./b.bpf.o\");\n",
            ),
            ("prog_tests/other.c", "#include \"c.skel.h\"\n"),
            ("prog_tests/arena.h", ""),
            ("progs/a.c", "#include \"common.c\"\n"),
            ("progs/b.c", ""),
            ("progs/c.c", ""),
            ("progs/common.c", "#include \"common.c\"\n"),
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = |filter| files(folder.path(), &Regex::new(filter).unwrap()).unwrap();
        assert_eq!(
            found("^arena$"),
            [
                "prog_tests/arena.c",
                "progs/a.c",
                "progs/b.c",
                "progs/common.c"
            ]
        );
        assert_eq!(found("^other$"), ["prog_tests/other.c", "progs/c.c"]);
        assert!(found("^nothing$").is_empty());
    }
}
