// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! New warnings of compilers and sparse.

use std::fmt;

/// A warning.
#[derive(Clone, Debug)]
pub struct Warning {
    /// The file, relative to the tree.
    pub file: String,
    /// The line.
    pub line: usize,
    text: String,
}

/// Equality ignores the line, which changes with every patch.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.text)
    }
}

/// The marks of a warning. sparse prints some warnings as errors and continues.
pub const OF_COMPILERS: [&str; 2] = [" warning: ", " error: "];

/// The warnings in a log of the kernel's make: `file:line:column: warning: text`, with any of `marks`.
pub fn read(log: &str, marks: &[&str]) -> Vec<Warning> {
    log.lines()
        .filter_map(|line| {
            let (place, text) = marks.iter().find_map(|mark| line.split_once(mark))?;
            let mut place = place.split(':');
            let file = place.next().unwrap_or_default();
            Some(Warning {
                file: file.trim_start_matches("../").to_owned(),
                line: place.next().and_then(|line| line.parse().ok()).unwrap_or(0),
                text: text.to_owned(),
            })
        })
        .collect()
}

/// The warnings that are not in `known`, each once, as `file: text`.
pub fn new<'a>(found: impl Iterator<Item = &'a Warning>, known: &[String]) -> Vec<String> {
    let mut new: Vec<String> = Vec::new();
    for warning in found {
        let shown = warning.to_string();
        if !known.contains(&shown) && !new.contains(&shown) {
            new.push(shown);
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "  CC      kernel/bpf/core.o\n\
        ../kernel/bpf/core.c:10:5: warning: unused variable ‘a’ [-Wunused-variable]\n\
        ../kernel/bpf/core.c:10:5: note: here\n\
        ../kernel/bpf/core.c:12: error: bad constant expression\n";

    #[test]
    fn a_warning_is_known_by_file_and_text() {
        let shown = |log: &str| -> Vec<String> {
            read(log, &OF_COMPILERS)
                .iter()
                .map(Warning::to_string)
                .collect()
        };
        assert_eq!(
            shown(LOG),
            [
                "kernel/bpf/core.c: unused variable ‘a’ [-Wunused-variable]",
                "kernel/bpf/core.c: bad constant expression"
            ]
        );
        assert_eq!(shown(&LOG.replace(":10:", ":99:")), shown(LOG));
        assert_eq!(read(LOG, &OF_COMPILERS)[0].line, 10);
    }

    #[test]
    fn what_is_known_is_not_new() {
        let known = vec!["kernel/bpf/core.c: bad constant expression".to_owned()];
        let found = read(&LOG.repeat(2), &OF_COMPILERS);
        assert_eq!(
            new(found.iter(), &known),
            ["kernel/bpf/core.c: unused variable ‘a’ [-Wunused-variable]"]
        );
    }
}
