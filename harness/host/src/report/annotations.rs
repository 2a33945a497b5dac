// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The failures of a run as workflow commands of GitHub, which shows them next to the source.

use std::path::Path;

use fs_err as fs;
use regex::Regex;

use crate::judge::snapshot;
use crate::report::run_report::RunResult;

/// One `::error` line per failure. A failed test has the file and line of its program in the clone `repo`.
#[must_use]
pub fn render(result: &RunResult, repo: &Path) -> String {
    let failed = result.tests.iter().filter(|test| test.failed());
    let tests = failed.map(|test| {
        let (file, program) = snapshot::split(&test.test);
        let file = format!("selftests/{file}.bpf.c");
        let source = fs::read_to_string(repo.join(&file)).unwrap_or_default();
        let place = match line_of(&source, program) {
            Some(line) => format!("file={},line={line},", property(&file)),
            None => format!("file={},", property(&file)),
        };
        let failure = test.failure.as_deref().unwrap_or("it failed");
        error(&place, &test.test, failure)
    });
    let run = result
        .wrong_with_run()
        .map(|wrong| error("", "the run failed", wrong));
    tests.chain(run).collect()
}

/// The line of a program in its source: that of its definition, or the first that has the name.
fn line_of(source: &str, program: &str) -> Option<usize> {
    let name = regex::escape(program);
    [
        format!(r"^\w[\w\s*]*\b{name}\("),
        format!(r"^\w[\w\s*]*\bBPF_\w+\(\s*{name}\b"),
        format!(r"^[^/*\s].*\b{name}\b"),
    ]
    .iter()
    .find_map(|pattern| {
        let pattern = Regex::new(pattern).ok()?;
        let at = source.lines().position(|line| pattern.is_match(line))?;
        Some(at + 1)
    })
}

fn error(place: &str, title: &str, message: &str) -> String {
    format!(
        "::error {place}title={}::{}\n",
        property(title),
        data(message)
    )
}

/// Escapes the message of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes the value of a property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::run_report::example;

    const SOURCE: &str = "\
/* x and y */
SEC(\"syscall\")
__load_with(y)
int x(void *ctx)
{
\treturn y(ctx);
}

SEC(\"fentry/z\")
int BPF_PROG(z, int argument)
{
}

PROGRAM(made, 3)
";

    #[test]
    fn the_line_is_that_of_the_definition() {
        assert_eq!(line_of(SOURCE, "x"), Some(4));
        assert_eq!(line_of(SOURCE, "z"), Some(10));
        assert_eq!(line_of(SOURCE, "made"), Some(14));
        assert_eq!(line_of(SOURCE, "lost"), None);
    }

    #[test]
    fn each_failure_is_a_line_with_its_place() {
        let repo = tempfile::tempdir().unwrap();
        std::fs::create_dir(repo.path().join("selftests")).unwrap();
        let source = "\nint x(void)\nint y(void)\n";
        std::fs::write(repo.path().join("selftests/a.bpf.c"), source).unwrap();
        let mut result = example();
        result.tests[1].failure = Some("50% of\nit".to_owned());
        assert_eq!(
            render(&result, repo.path()),
            "::error file=selftests/a.bpf.c,line=3,title=a__y::50%25 of%0Ait\n\
             ::error title=the run failed::no end line%0A  see the console\n"
        );
    }
}
