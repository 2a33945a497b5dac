// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Tests on the imports of this crate: folders are used in one direction only, and no modules of a
//! folder use each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders in the order of the data flow.
const FOLDERS: [&str; 7] = ["env", "queue", "build", "vm", "judge", "report", "cmd"];

/// A path of this crate that a file uses.
#[derive(Debug, PartialEq, Eq)]
struct Use {
    /// The file, relative to `src/`.
    file: String,
    line: usize,
    /// The folder and the module in it: `["env", "context"]`.
    target: Vec<String>,
}

/// The paths `crate::folder::module` of a text, also in braces: `use crate::env::{arch, context};`.
/// The code of this crate has at most one level of braces directly after a folder.
fn uses(file: &str, text: &str) -> Vec<Use> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let line = text[..at].matches('\n').count() + 1;
        let begin = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        if text[begin..at].trim_start().starts_with("//") {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let (folder, rest) = split_name(rest);
        let names = match rest.strip_prefix("::") {
            Some(rest) if rest.starts_with('{') => rest[1..rest.find('}').unwrap_or(rest.len())]
                .split(',')
                .map(|name| split_name(name.trim()).0)
                .filter(|name| !name.is_empty())
                .collect(),
            Some(rest) => vec![split_name(rest).0],
            None => Vec::new(),
        };
        let mut add = |target: &[&str]| {
            found.push(Use {
                file: file.to_owned(),
                line,
                target: target.iter().map(|&name| name.to_owned()).collect(),
            });
        };
        match names[..] {
            [] => add(&[folder]),
            _ => names.iter().for_each(|name| add(&[folder, name])),
        }
    }
    found
}

/// The identifier at the beginning of `text`, and the rest.
fn split_name(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    text.split_at(end.unwrap_or(text.len()))
}

fn rank(folder: &str) -> Option<usize> {
    FOLDERS.iter().position(|name| *name == folder)
}

/// The uses that point to a later folder, one message each.
fn violations(uses: &[Use]) -> Vec<String> {
    let wrong = |used: &&Use| {
        let own = rank(used.file.split('/').next().unwrap_or_default());
        matches!((own, rank(&used.target[0])), (Some(own), Some(target)) if target > own)
    };
    uses.iter()
        .filter(wrong)
        .map(|used| {
            format!(
                "src/{}:{}: uses crate::{}; a module uses its own and earlier folders only, in the \
                 order {}",
                used.file,
                used.line,
                used.target.join("::"),
                FOLDERS.join(", ")
            )
        })
        .collect()
}

/// The module of a file below its folder: `report/nightly/cell.rs` is `nightly` of `report`.
fn module(file: &str) -> Option<(&str, &str)> {
    let (folder, rest) = file.split_once('/')?;
    let module = rest.split('/').next()?.trim_end_matches(".rs");
    (module != "mod").then_some((folder, module))
}

/// The modules of one folder that use each other in a circle, one message for each folder with one.
fn circles(uses: &[Use]) -> Vec<String> {
    let mut graph: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for used in uses {
        if let (Some((folder, from)), [target, to, ..]) = (module(&used.file), &used.target[..])
            && target == folder
            && to != from
        {
            graph.entry((folder, from)).or_default().insert(to);
        }
    }
    // a module that uses no remaining module, or that none uses, is not part of a circle
    loop {
        let left: BTreeSet<(&str, &str)> = graph.keys().copied().collect();
        for ((folder, _), targets) in &mut graph {
            targets.retain(|target| left.contains(&(*folder, *target)));
        }
        let used: BTreeSet<(&str, &str)> = graph
            .iter()
            .flat_map(|((folder, _), targets)| targets.iter().map(|target| (*folder, *target)))
            .collect();
        graph.retain(|module, targets| !targets.is_empty() && used.contains(module));
        if graph.len() == left.len() {
            break;
        }
    }
    FOLDERS
        .iter()
        .filter_map(|folder| {
            let edges: Vec<String> = graph
                .iter()
                .filter(|((of, _), _)| of == folder)
                .map(|((_, from), to)| format!("{from} uses {to:?}"))
                .collect();
            (!edges.is_empty()).then(|| format!("circle in src/{folder}/: {}", edges.join(", ")))
        })
        .collect()
}

fn uses_of_crate() -> Vec<Use> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for folder in FOLDERS {
        files_in(&src.join(folder), &mut files);
    }
    files
        .iter()
        .flat_map(|path| {
            let file = path.strip_prefix(&src).unwrap().display().to_string();
            uses(&file, &fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn files_in(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in dir.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_in(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn no_module_uses_a_later_folder() {
    let found = uses_of_crate();
    assert!(found.len() > 200, "only {} uses were found", found.len());
    let violations = violations(&found);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn no_modules_of_a_folder_use_each_other_in_a_circle() {
    let circles = circles(&uses_of_crate());
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn every_folder_of_the_crate_has_a_rank() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in src.read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        assert!(entry.path().is_file() || rank(&name).is_some(), "{name}");
    }
}

#[test]
fn a_use_of_a_later_folder_is_reported_with_file_line_and_rule() {
    let text = "// crate::report::a\nuse crate::env::b;\nuse crate::judge::{c, d};\n";
    let found = violations(&uses("env/x/y.rs", text));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("src/env/x/y.rs:3: uses crate::judge::c; "));
    assert!(found[0].ends_with("order env, queue, build, vm, judge, report, cmd"));
    assert!(violations(&uses("cmd/x.rs", text)).is_empty());
    let path = "fn f() { crate::cmd::g() }";
    assert_eq!(violations(&uses("report/x.rs", path)).len(), 1);
}

#[test]
fn a_circle_within_a_folder_is_reported() {
    let mut found = uses("env/a.rs", "use crate::env::b::f;\n");
    found.extend(uses("env/b/c.rs", "use crate::env::{a, d};\n"));
    found.extend(uses("env/d.rs", "use crate::env::e;\n"));
    let message = "circle in src/env/: a uses {\"b\"}, b uses {\"a\"}";
    assert_eq!(circles(&found), [message]);
    found.remove(0);
    assert!(circles(&found).is_empty());
}
