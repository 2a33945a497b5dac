// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Describes why a patch does not apply: the file and the hunk.

use crate::queue::series::Patch;

/// The error for a patch that does not apply, from the messages of git.
pub fn describe(patch: &Patch, stderr: &str) -> String {
    let text = String::from_utf8_lossy(&patch.text);
    let mut error = format!("{} does not apply", patch.path.display());
    for line in stderr.lines() {
        let Some(position) = line.strip_prefix("error: patch failed: ") else {
            continue;
        };
        error.push_str(&format!("\n  at {position}"));
        if let Some((file, at)) = position.rsplit_once(':')
            && let Some(hunk) = hunk(&text, file, at)
        {
            error.push_str(&format!(", hunk {hunk}"));
        }
    }
    for line in stderr.lines().filter(|line| line.starts_with("error: ")) {
        error.push_str(&format!("\n  | {line}"));
    }
    error
}

/// The header of the hunk of `file` that begins at line `at` of the old file.
fn hunk<'a>(patch: &'a str, file: &str, at: &str) -> Option<&'a str> {
    let begins = format!("@@ -{at}");
    patch
        .lines()
        .skip_while(|line| *line != format!("--- a/{file}"))
        .find(|line| {
            line.strip_prefix(&begins)
                .is_some_and(|rest| rest.starts_with([',', ' ']))
        })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_hunk_is_found_by_file_and_line() {
        let patch = Patch {
            name: "0001-a.patch".to_owned(),
            path: PathBuf::from("patches/0001-a.patch"),
            text: b"--- a/x.c\n+++ b/x.c\n@@ -10,3 +10,4 @@ int x\n--- a/y.c\n+++ b/y.c\n\
                    @@ -1,3 +1,4 @@ no\n@@ -10,3 +10,4 @@ int y\n@@ -100,3 +1 @@\n"
                .to_vec(),
            prefix_key: String::new(),
        };
        let error = describe(
            &patch,
            "error: patch failed: y.c:10\nerror: y.c: patch does not apply\nhint: more\n",
        );
        assert_eq!(
            error,
            "patches/0001-a.patch does not apply\n  at y.c:10, hunk @@ -10,3 +10,4 @@ int y\n  \
             | error: patch failed: y.c:10\n  | error: y.c: patch does not apply"
        );
    }
}
