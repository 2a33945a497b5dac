// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Clones and caches with a path that breaks make are rejected at once: by the script that make runs before
//! it compiles anything, and by the harness.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../check-paths.sh");

/// Characters that both must reject.
const REJECTED: &str = " \t\n:#$%'\"`\\;&|<>()*?[]";

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
        // no program: an accepted path fails later with another error
        .env("PATH", "/nowhere")
        .output()
        .unwrap()
}

fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

#[test]
fn a_clone_or_cache_that_breaks_make_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good");
    fs::create_dir(&good).unwrap();
    for (number, character) in REJECTED.chars().enumerate() {
        let bad = dir.path().join(format!("{number}{character}x"));
        fs::create_dir(&bad).unwrap();
        for reject in [by_script, by_harness] {
            let out = reject(&bad, &good);
            let text = stderr(&out);
            assert!(!out.status.success(), "{character:?}: {text}");
            assert!(
                text.contains("the path of the clone has"),
                "{character:?}: {text}"
            );
            let out = reject(&good, &bad);
            let text = stderr(&out);
            assert!(!out.status.success(), "{character:?}: {text}");
            assert!(
                text.contains("the path of the cache has"),
                "{character:?}: {text}"
            );
            assert!(text.contains("XDG_CACHE_HOME"), "{character:?}: {text}");
        }
        // the cache was not created
        assert!(!bad.join("bpf-streams").exists());
    }
}

#[test]
fn other_paths_are_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("é-b_c+d@e,f=g~1");
    fs::create_dir(&odd).unwrap();
    let out = by_script(&odd, &odd);
    assert!(out.status.success(), "{}", stderr(&out));
    let text = stderr(&by_harness(&odd, &odd));
    assert!(!text.contains("the path of"), "{text}");
}
