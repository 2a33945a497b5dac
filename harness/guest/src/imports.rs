// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Tests that no modules of this crate import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The top-level modules that each top-level module imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn top_level_modules_have_no_circular_imports() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let imports = imports(&root);
    assert!(
        imports["test"].contains("scenario") && imports["scenario"].contains("prog_run"),
        "imports are missing: {imports:?}"
    );
    if let Some(circle) = circle(&imports) {
        panic!("circular import: {}", circle.join(" -> "));
    }
}

#[test]
fn a_circular_import_is_found() {
    let imports = |edges: &[(&str, &[&str])]| -> Imports {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        edges
            .iter()
            .map(|(from, to)| ((*from).to_owned(), names(to)))
            .collect()
    };
    let tree = imports(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
    assert_eq!(circle(&tree), None);
    let ring = imports(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
    assert_eq!(circle(&ring).unwrap(), ["b", "c", "b"]);
}

#[test]
fn every_form_of_an_import_is_read() {
    let source =
        "use crate::a::B;\nuse crate::{b::{self, C}, d};\n// crate::e\nfn f() { crate::g::h() }\n";
    let expected = ["a", "b", "d", "g"].map(str::to_owned);
    assert_eq!(imported(source), BTreeSet::from(expected));
}

fn imports(root: &Path) -> Imports {
    let mut all = Imports::new();
    for path in sources(root) {
        let module = path.strip_prefix(root).unwrap().iter().next().unwrap();
        let module = module.to_str().unwrap().trim_end_matches(".rs");
        if ["main", "imports"].contains(&module) {
            continue;
        }
        let mut imported = imported(&fs::read_to_string(&path).unwrap());
        imported.remove(module);
        all.entry(module.to_owned()).or_default().extend(imported);
    }
    all
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            paths.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    paths
}

/// The names that follow `crate::` in the code of a file.
fn imported(source: &str) -> BTreeSet<String> {
    let code: Vec<&str> = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_members(group)),
            None => names.extend([first_word(rest)]),
        };
    }
    names
}

/// The first word of each member of `{a, b::c, d::{e, f}}`, without the members of inner groups.
fn group_members(group: &str) -> Vec<String> {
    let (mut depth, mut members) = (1, vec![String::new()]);
    for char in group.chars() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => members.push(String::new()),
            char if depth == 1 => members.last_mut().unwrap().push(char),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    let words = members.iter().map(|member| first_word(member.trim()));
    words.filter(|word| !word.is_empty()).collect()
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|char| char.is_ascii_alphanumeric() || *char == '_')
        .collect()
}

/// A path through the imports that ends where it began.
fn circle(imports: &Imports) -> Option<Vec<String>> {
    fn visit(
        module: &str,
        imports: &Imports,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(begin) = path.iter().position(|earlier| earlier == module) {
            let mut circle = path[begin..].to_vec();
            circle.push(module.to_owned());
            return Some(circle);
        }
        if done.contains(module) {
            return None;
        }
        path.push(module.to_owned());
        for next in imports.get(module).into_iter().flatten() {
            if let Some(circle) = visit(next, imports, path, done) {
                return Some(circle);
            }
        }
        path.pop();
        done.insert(module.to_owned());
        None
    }
    let mut done = BTreeSet::new();
    imports
        .keys()
        .find_map(|module| visit(module, imports, &mut Vec::new(), &mut done))
}
