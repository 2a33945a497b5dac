// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Which paths kernels can be built in.

use std::path::Path;

use anyhow::{Result, bail};

/// What the kernel's Makefile, other makefiles and shells take for something else than a part of a
/// name. The kernel itself refuses spaces and colons. `harness/check-paths.sh` refuses the same.
const REFUSED: &str = ":#$%'\"`\\;&|<>()*?[]";

/// Fails where `path` has a character that builds cannot take. `what` says whose path it is, `advice`
/// what to do.
pub fn check(path: &Path, what: &str, advice: &str) -> Result<()> {
    let text = path.to_string_lossy();
    let found = text
        .chars()
        .find(|c| c.is_whitespace() || c.is_control() || REFUSED.contains(*c));
    let Some(character) = found else {
        return Ok(());
    };
    let called = match character {
        ' ' => "a space".to_owned(),
        '\t' => "a tab".to_owned(),
        '\n' => "a line break".to_owned(),
        other => format!("the character {other}"),
    };
    bail!(
        "the path of {what} has {called}, and the kernel's Makefile cannot take it: {text}; {advice}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str) -> Option<String> {
        let checked = check(Path::new(path), "the cache", "set XDG_CACHE_HOME");
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn a_path_that_make_cannot_take_is_refused_by_name() {
        let text = said("/home/a b/cache").unwrap();
        for part in ["the cache", "a space", "/home/a b/cache", "XDG_CACHE_HOME"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(said("/a:b").unwrap().contains("the character :"));
        for path in ["/a\tb", "/a\nb", "/a$b", "/a'b", "/a#b", "/a\u{a0}b"] {
            assert!(said(path).is_some(), "{path}");
        }
    }

    #[test]
    fn other_paths_are_taken() {
        for path in ["/home/é/.cache", "/a-b_c+d@e,f=g~1/h"] {
            assert_eq!(said(path), None, "{path}");
        }
    }
}
