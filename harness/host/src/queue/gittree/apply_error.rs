// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Why a patch does not fit: which file, which hunk.

use crate::queue::series::Patch;

/// Says which hunk of `patch` does not fit, out of what git said.
pub fn describe(patch: &Patch, said: &str) -> String {
    let text = String::from_utf8_lossy(&patch.text);
    let mut told = format!("{} does not apply", patch.path.display());
    for line in said.lines() {
        let Some(place) = line.strip_prefix("error: patch failed: ") else {
            continue;
        };
        told.push_str(&format!("\n  at {place}"));
        if let Some((file, at)) = place.rsplit_once(':')
            && let Some(hunk) = hunk(&text, file, at)
        {
            told.push_str(&format!(", hunk {hunk}"));
        }
    }
    for line in said.lines().filter(|line| line.starts_with("error: ")) {
        told.push_str(&format!("\n  | {line}"));
    }
    told
}

/// The head of the hunk of `file` that begins at line `at` of the old file.
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
        let told = describe(
            &patch,
            "error: patch failed: y.c:10\nerror: y.c: patch does not apply\nhint: more\n",
        );
        assert_eq!(
            told,
            "patches/0001-a.patch does not apply\n  at y.c:10, hunk @@ -10,3 +10,4 @@ int y\n  \
             | error: patch failed: y.c:10\n  | error: y.c: patch does not apply"
        );
    }
}
