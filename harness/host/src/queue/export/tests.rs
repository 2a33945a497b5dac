// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Exports of two patches.

use super::*;
use crate::queue::gittree::tests::{patch, series};
use crate::test_support::names;

/// A cover letter.
pub const COVER: &str = "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n\
    From: A Uthor <a@uthor.example>\nDate: Sat, 21 Nov 2026 02:52:32 +0000\n\
    Subject: [PATCH v6.12 0/2] Two\n\nWhat it is.\n";

/// A series with a cover letter in `dir`.
pub fn sent(dir: &Path, patches: &[String]) -> Series {
    let series = series(dir, patches);
    fs::write(dir.join(COVER_LETTER), COVER).unwrap();
    series
}

fn two() -> Vec<String> {
    vec![patch("a.c", "one", "two"), patch("a.c", "two", "three")]
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// The values of a field in a text of mails.
fn values(text: &str, field: &str) -> Vec<String> {
    let begins = format!("{field}: ");
    let lines = text.lines().filter_map(|line| line.strip_prefix(&begins));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_patches_reply_to_the_cover_letter() {
    let root = tempfile::tempdir().unwrap();
    let series = sent(&root.path().join("p"), &two());
    let exported = write(&series, "v6.12", &root.path().join("out")).unwrap();
    let cover = read(&exported.mails.join(COVER_LETTER));
    let [id] = &values(&cover, "Message-ID")[..] else {
        panic!("{cover}");
    };
    assert!(values(&cover, "In-Reply-To").is_empty());
    let mut ids = vec![id.clone()];
    for patch in &series.patches {
        let mail = read(&exported.mails.join(&patch.name));
        assert_eq!(values(&mail, "In-Reply-To"), [id.as_str()]);
        assert_eq!(values(&mail, "References"), [id.as_str()]);
        ids.extend(values(&mail, "Message-ID"));
        // without these fields the mail is the patch
        let fields = ["Message-ID: ", "In-Reply-To: ", "References: "];
        let rest: String = mail
            .split_inclusive('\n')
            .filter(|line| !fields.iter().any(|field| line.starts_with(field)))
            .collect();
        assert_eq!(rest.as_bytes(), patch.text);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[test]
fn exports_are_equal_only_for_equal_series() {
    let root = tempfile::tempdir().unwrap();
    let mut exports = Vec::new();
    for (at, patches) in [two(), two(), vec![two()[0].clone()]].iter().enumerate() {
        let series = sent(&root.path().join(format!("p{at}")), patches);
        let exported = write(&series, "v6.12", &root.path().join(format!("o{at}"))).unwrap();
        exports.push(read(&exported.mails.join(COVER_LETTER)));
    }
    assert_eq!(exports[0], exports[1]);
    assert_ne!(exports[0], exports[2]);
}

#[test]
fn an_export_replaces_an_older_one_and_no_other_file() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let both = sent(&root.path().join("p"), &two());
    write(&both, "v6.12", &out).unwrap();
    fs::write(out.join("mine"), "").unwrap();
    let one = sent(&root.path().join("p"), &two()[..1]);
    let exported = write(&one, "v6.12", &out).unwrap();
    assert_eq!(
        names(&out),
        ["bpf-streams-v6.12.mbox", "mails", "mine", "quilt"]
    );
    assert_eq!(names(&exported.quilt), ["0001-p.patch", "series"]);
}

#[test]
fn patches_that_a_format_cannot_express_are_rejected() {
    let root = tempfile::tempdir().unwrap();
    let error = |patch: String| {
        let series = sent(&root.path().join("p"), &[patch]);
        format!(
            "{:#}",
            write(&series, "v6.12", &root.path().join("o")).unwrap_err()
        )
    };
    let patch = patch("a.c", "one", "two");
    let split = error(patch.replace("Because.", "Because.\nFrom here on."));
    assert!(
        split.contains("0001-p.patch") && split.contains("From here on."),
        "{split}"
    );
    let rename = error(patch.replace("--- a/a.c", "rename from x\nrename to a.c\n--- a/a.c"));
    assert!(rename.contains("rename from"), "{rename}");
    assert!(error("no mail".to_owned()).contains("is not a mail"));
    assert!(!root.path().join("o/quilt").exists());
}

#[test]
fn an_export_needs_a_cover_letter() {
    let root = tempfile::tempdir().unwrap();
    let series = series(&root.path().join("p"), &two());
    let error = write(&series, "v6.12", &root.path().join("o")).unwrap_err();
    assert!(format!("{error:#}").contains("0000-cover-letter.patch"));
}
