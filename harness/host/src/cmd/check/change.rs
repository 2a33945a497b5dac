// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The change of a patch without line numbers and message: it stays the same when an earlier patch
//! moves the lines or the message is edited.

use crate::env::cache_key::Digest;

/// Lines of a diff outside of hunks that are part of the change; the `index` line is not.
const HEADS: [&str; 9] = [
    "new file",
    "deleted file",
    "old mode",
    "new mode",
    "rename",
    "copy",
    "--- ",
    "+++ ",
    "GIT binary patch",
];

/// A key of the changes of the patch `text` in files selected by `counts`; none where it changes none
/// of them. Context lines are part of the key, line numbers are not.
pub fn key(text: &[u8], counts: impl Fn(&str) -> bool) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let mut digest = Digest::default();
    let (mut any, mut inside) = (false, false);
    // lines of the old and the new file left in the hunk
    let mut left = (0_usize, 0_usize);
    for line in text.lines() {
        if left != (0, 0) {
            let (old, new) = match line.as_bytes().first() {
                Some(b'-') => (1, 0),
                Some(b'+') => (0, 1),
                Some(b'\\') => (0, 0),
                _ => (1, 1),
            };
            left = (left.0.saturating_sub(old), left.1.saturating_sub(new));
            if inside {
                digest.add("line", line);
            }
        } else if let Some(names) = line.strip_prefix("diff --git a/") {
            let file = names.rsplit_once(" b/").map_or(names, |(_, file)| file);
            inside = counts(file);
            any |= inside;
        } else if let Some(hunk) = line.strip_prefix("@@ -") {
            left = sizes(hunk);
            if inside {
                digest.add("hunk", "");
            }
        } else if inside && HEADS.iter().any(|head| line.starts_with(head)) {
            digest.add("head", line);
        }
    }
    any.then(|| digest.key())
}

/// The sizes in `10,3 +10,4 @@`; a missing size is 1.
fn sizes(hunk: &str) -> (usize, usize) {
    let mut ranges = hunk.split(' ');
    let mut size = || {
        let range = ranges.next().unwrap_or_default();
        let size = range.split_once(',').map_or("1", |(_, size)| size);
        size.parse().unwrap_or(0)
    };
    (size(), size())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::gittree::tests::patch;

    fn of(text: &str) -> Option<String> {
        key(text.as_bytes(), |file| file.ends_with(".c"))
    }

    #[test]
    fn a_moved_patch_or_another_message_is_the_same_change() {
        let text = patch("a.c", "one", "two");
        let moved = text
            .replace("@@ -1,3 +1,3 @@", "@@ -70,3 +71,3 @@ int f(void)")
            .replace("Because.", "For another reason.");
        assert_eq!(of(&text), of(&moved));
        let signed = format!("{text}-- \n2.39.5\n");
        assert_eq!(of(&text), of(&signed));
    }

    #[test]
    fn another_line_context_or_file_is_another_change() {
        let text = patch("a.c", "one", "two");
        for other in [
            patch("a.c", "one", "six"),
            patch("b.c", "one", "two"),
            text.replace(" tail", " other tail"),
            text.replace("--- a/a.c", "new file mode 100755\n--- a/a.c"),
        ] {
            assert_ne!(of(&text), of(&other), "{other}");
        }
    }

    #[test]
    fn other_files_are_ignored() {
        let (code, document) = (patch("a.c", "one", "two"), patch("a.rst", "one", "two"));
        assert_eq!(of(&document), None);
        assert_eq!(of(&code), of(&format!("{code}{document}")));
        assert_ne!(of(&code), None);
    }

    #[test]
    fn lines_of_a_hunk_are_not_taken_for_headers() {
        let text = |line: &str| {
            format!("diff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c\n@@ -1,2 +1 @@\n-{line}\n tail\n")
        };
        assert_ne!(of(&text("- x")), of(&text("- y")));
    }
}
