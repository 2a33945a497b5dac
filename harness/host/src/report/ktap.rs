// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The result of a run as KTAP, `KTAP=file` (`Documentation/dev-tools/ktap.rst` of the kernel's tree).

use std::fmt::Write;

use crate::report::run_report::{RunResult, TestOutcome};

/// The name of the last test, which fails if the run as a whole has a fault.
const RUN: &str = "run";

const INDENT: &str = "    ";

/// The result as KTAP: one test per file of `selftests/`, with one subtest per program.
#[must_use]
pub fn render(result: &RunResult) -> String {
    let files = result.by_file();
    let mut out = format!("KTAP version 1\n1..{}\n", files.len() + 1);
    for (number, (file, tests)) in (1..).zip(&files) {
        subtests(&mut out, file, tests);
        let passed = !tests.iter().any(|test| test.failed());
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{} {number} {file}", ok(passed));
    }
    let wrong: Vec<&str> = result.wrong_with_run().collect();
    for line in wrong.iter().flat_map(|wrong| wrong.lines()) {
        let _ = writeln!(out, "# {line}");
    }
    let _ = writeln!(out, "{} {} {RUN}", ok(wrong.is_empty()), files.len() + 1);
    out
}

fn subtests(out: &mut String, file: &str, tests: &[&TestOutcome]) {
    let _ = write!(
        out,
        "{INDENT}KTAP version 1\n{INDENT}# Subtest: {file}\n{INDENT}1..{}\n",
        tests.len()
    );
    for (number, test) in (1..).zip(tests) {
        if let Some(failure) = test.failure.as_deref().filter(|_| test.failed()) {
            for line in failure.lines() {
                let _ = writeln!(out, "{INDENT}# {line}");
            }
        }
        // the whole name: the kernel's parser takes a subtest with the name of its test for the test
        let _ = writeln!(
            out,
            "{INDENT}{} {number} {}{}",
            ok(!test.failed()),
            test.test,
            skip(test)
        );
    }
}

fn ok(passed: bool) -> &'static str {
    if passed { "ok" } else { "not ok" }
}

fn skip(test: &TestOutcome) -> String {
    match (&test.skipped, &test.not_in_mainline) {
        (Some(feature), _) => format!(" # SKIP no {feature}"),
        (None, Some(why)) => format!(" # SKIP not in mainline: {why}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::env::context::find_cache;
    use crate::report::run_report::example;

    const EXAMPLE: &str = "\
KTAP version 1
1..3
    KTAP version 1
    # Subtest: a
    1..3
    ok 1 a__x
    # it differs
    not ok 2 a__y
    ok 3 a__z # SKIP no moon
not ok 1 a
    KTAP version 1
    # Subtest: b
    1..1
    ok 1 b__b
ok 2 b
# no end line
#   see the console
not ok 3 run
";

    #[test]
    fn files_are_tests_and_programs_their_subtests() {
        assert_eq!(render(&example()), EXAMPLE);
    }

    #[test]
    fn a_good_run_has_no_failure() {
        let mut result = example();
        result.faults.clear();
        result.tests.retain(|test| test.failure.is_none());
        let text = render(&result);
        assert!(!text.contains("not ok"), "{text}");
        assert!(text.ends_with("ok 2 b\nok 3 run\n"), "{text}");
    }

    /// The parser of a kernel tree in the cache.
    fn kunit() -> Option<PathBuf> {
        let trees = std::fs::read_dir(find_cache().ok()?.join("trees")).ok()?;
        trees
            .flatten()
            .map(|tree| tree.path().join("tools/testing/kunit/kunit.py"))
            .find(|path| path.is_file())
    }

    /// Skipped where the cache has no kernel tree: the parser is the kernel's.
    #[test]
    fn the_parser_of_the_kernels_tree_understands_it() {
        let Some(kunit) = kunit() else {
            eprintln!("skipped: the cache has no kernel tree");
            return;
        };
        let mut parser = Command::new("python3")
            .arg(kunit)
            .arg("parse")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = parser.stdin.take().unwrap();
        input.write_all(render(&example()).as_bytes()).unwrap();
        drop(input);
        let out = parser.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        assert_eq!(out.status.code(), Some(1), "a failure: {text}");
        assert!(
            text.contains("Ran 5 tests: passed: 2, failed: 2, skipped: 1"),
            "{text}"
        );
        assert!(!text.contains("ERROR"), "{text}");
    }
}
