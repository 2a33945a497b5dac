// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Clones and caches whose path make cannot take are refused at once: by the script that make calls
//! before anything is compiled, and by the harness, which may be called without it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../check-paths.sh");

/// Characters that have to be refused, each by both.
const REFUSED: &str = " \t\n:#$%'\"`\\;&|<>()*?[]";

fn by_script(clone: &Path, cache: &Path) -> Output {
    let mut command = Command::new("sh");
    command.arg(SCRIPT).current_dir(clone);
    command.env("XDG_CACHE_HOME", cache).output().unwrap()
}

fn by_harness(clone: &Path, cache: &Path) -> Output {
    for folder in ["patches/v0", "harness"] {
        fs::create_dir_all(clone.join(folder)).unwrap();
    }
    fs::write(clone.join("patches/v0/base.json"), "{}").unwrap();
    Command::new(env!("CARGO_BIN_EXE_bpf-streams"))
        .args(["doctor", "--base", "v0"])
        .current_dir(clone)
        .env("XDG_CACHE_HOME", cache)
        // nothing to run: what is not refused fails later and otherwise
        .env("PATH", "/nowhere")
        .output()
        .unwrap()
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[test]
fn a_clone_or_cache_that_make_cannot_take_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good");
    fs::create_dir(&good).unwrap();
    for (number, character) in REFUSED.chars().enumerate() {
        let bad = dir.path().join(format!("{number}{character}x"));
        fs::create_dir(&bad).unwrap();
        for refuse in [by_script, by_harness] {
            let out = refuse(&bad, &good);
            let text = said(&out);
            assert!(!out.status.success(), "{character:?}: {text}");
            assert!(
                text.contains("the path of the clone has"),
                "{character:?}: {text}"
            );
            let out = refuse(&good, &bad);
            let text = said(&out);
            assert!(!out.status.success(), "{character:?}: {text}");
            assert!(
                text.contains("the path of the cache has"),
                "{character:?}: {text}"
            );
            assert!(text.contains("XDG_CACHE_HOME"), "{character:?}: {text}");
        }
        // neither has begun to fill the cache
        assert!(!bad.join("bpf-streams").exists());
    }
}

#[test]
fn other_paths_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("é-b_c+d@e,f=g~1");
    fs::create_dir(&odd).unwrap();
    let out = by_script(&odd, &odd);
    assert!(out.status.success(), "{}", said(&out));
    let text = said(&by_harness(&odd, &odd));
    assert!(!text.contains("the path of"), "{text}");
}
