// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The paths in which kernels can be built.

use std::path::Path;

use anyhow::{Result, bail};

/// Characters with a meaning to the kernel's Makefile, other makefiles or shells. The kernel itself
/// rejects spaces and colons. `harness/check-paths.sh` rejects the same characters.
const REJECTED: &str = ":#$%'\"`\\;&|<>()*?[]";

/// Fails if `path` has a character that breaks builds. The error names `what` has this path, and ends
/// with `advice`.
pub fn check(path: &Path, what: &str, advice: &str) -> Result<()> {
    let text = path.to_string_lossy();
    let found = text
        .chars()
        .find(|c| c.is_whitespace() || c.is_control() || REJECTED.contains(*c));
    let Some(character) = found else {
        return Ok(());
    };
    let name = match character {
        ' ' => "a space".to_owned(),
        '\t' => "a tab".to_owned(),
        '\n' => "a line break".to_owned(),
        other => format!("the character {other}"),
    };
    bail!(
        "the path of {what} has {name}, and the kernel's Makefile does not support that: {text}; {advice}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(path: &str) -> Option<String> {
        let checked = check(Path::new(path), "the cache", "set XDG_CACHE_HOME");
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn a_path_that_breaks_make_is_rejected() {
        let text = error("/home/a b/cache").unwrap();
        for part in ["the cache", "a space", "/home/a b/cache", "XDG_CACHE_HOME"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(error("/a:b").unwrap().contains("the character :"));
        for path in ["/a\tb", "/a\nb", "/a$b", "/a'b", "/a#b", "/a\u{a0}b"] {
            assert!(error(path).is_some(), "{path}");
        }
    }

    #[test]
    fn other_paths_are_accepted() {
        for path in ["/home/é/.cache", "/a-b_c+d@e,f=g~1/h"] {
            assert_eq!(error(path), None, "{path}");
        }
    }
}
