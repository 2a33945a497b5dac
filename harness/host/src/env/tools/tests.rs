// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Tools that are there, are not, are too old, or do not do what they are needed for.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::env::arch::Arch;

fn program(name: &'static str, minimum: Option<Version>) -> Tool {
    Tool::program(name, minimum, "p", "for a test")
}

/// A folder with a program of that name which does what `script` says.
fn folder_with(name: &str, script: &str) -> (tempfile::TempDir, OsString) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let path = command::in_front(&[dir.path()], &command::search_path());
    (dir, path)
}

#[test]
fn a_version_is_found_in_what_each_tool_says() {
    for (text, version) in [
        ("git version 2.47.3", Version(2, 47)),
        (
            "gcc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright",
            Version(12, 2),
        ),
        ("Debian clang version 19.1.7 (3~deb12u1)", Version(19, 1)),
        ("v1.24\n", Version(1, 24)),
        (
            "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)",
            Version(7, 2),
        ),
        ("ccache version 4.7.5", Version(4, 7)),
        ("GNU Make 4.3", Version(4, 3)),
        ("Python 3.11.2", Version(3, 11)),
    ] {
        assert_eq!(parse_version(text), Some(version), "{text}");
    }
    assert_eq!(parse_version("no version here"), None);
}

#[test]
fn versions_are_compared_as_numbers() {
    assert!(Version(1, 9) < Version(1, 24));
    assert!(Version(10, 0) > Version(7, 2));
}

#[test]
fn no_two_entries_of_the_table_hide_each_other() {
    let mut packages: HashMap<_, HashSet<&str>> = HashMap::new();
    for tool in every() {
        let same = packages.entry(tool.identity()).or_default();
        same.insert(tool.package);
    }
    // an identity stands for one tool of one package
    for (identity, packages) in &packages {
        assert_eq!(packages.len(), 1, "{identity:?} is in {packages:?}");
    }
    // and every package of the table is still there when each identity is taken once
    let all: HashSet<&str> = every().iter().map(|tool| tool.package).collect();
    let kept: HashSet<&str> = distinct(every()).iter().map(|tool| tool.package).collect();
    assert_eq!(all, kept);
}

#[test]
fn the_program_git_does_not_hide_the_python_module_git() {
    let packages: Vec<&str> = distinct(needed(Arch::X86_64).into_iter().chain(FOR_SERIES))
        .iter()
        .filter(|tool| tool.name == "git")
        .map(|tool| tool.package)
        .collect();
    assert_eq!(packages, ["git", "python3-git"]);
}

#[test]
fn every_tool_has_a_package_and_a_reason() {
    for tool in every() {
        assert!(!tool.package.is_empty() && !tool.why.is_empty(), "{tool:?}");
    }
}

#[test]
fn a_kernel_that_the_user_built_needs_fewer_tools() {
    let names = |origin| -> Vec<&str> {
        let tools = needed_for(Arch::X86_64, origin);
        tools.iter().map(|tool| tool.name).collect()
    };
    assert!(names(Origin::Series).contains(&"pahole") && names(Origin::Series).contains(&"xz"));
    assert!(names(Origin::Tree).contains(&"pahole") && !names(Origin::Tree).contains(&"xz"));
    assert!(!names(Origin::Built).contains(&"pahole"));
    for origin in [Origin::Series, Origin::Tree, Origin::Built] {
        assert!(names(origin).contains(&"clang-19") && names(origin).contains(&"gcc"));
    }
}

#[test]
fn a_tool_is_missing_too_old_or_good() {
    let state = |name, minimum| program(name, minimum).check().state;
    assert_eq!(state("no-such-program", None), State::Missing);
    assert_eq!(state("true", None), State::Good(None));
    assert!(matches!(
        state("git", Some(Version(999, 0))),
        State::TooOld(path, _) if path.ends_with("git")
    ));
}

#[test]
fn a_program_that_does_not_run_is_broken_with_or_without_a_minimum() {
    let (_dir, path) = folder_with("tool", "echo it is broken >&2; exit 3");
    for minimum in [None, Some(Version(1, 0))] {
        let State::Broken(said) = program("tool", minimum).check_in(&path).state else {
            panic!("a program that fails is good");
        };
        assert!(said.contains("it is broken"), "{said}");
    }
}

#[test]
fn a_program_that_does_another_thing_than_it_is_used_for_is_broken() {
    let (_dir, path) = folder_with("tool", "cat >/dev/null; echo 43");
    let tool = program("tool", None).proven_by(&["-q"], "6*7\n", "42");
    let State::Broken(said) = tool.check_in(&path).state else {
        panic!("a wrong result is good");
    };
    assert!(said.contains("\"43\", expected \"42\""), "{said}");
}

#[test]
fn a_dynamic_busybox_is_no_static_program() {
    let tool = Tool::static_program("sh", "p", "for a test");
    let State::Broken(said) = tool.check().state else {
        panic!("the machine's sh is static");
    };
    assert!(said.ends_with("sh is not static"), "{said}");
}

#[test]
fn a_library_is_linked_by_the_compiler() {
    let source = "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n";
    let good = Tool::library("libc", source, &[], "p", "for a test").check();
    assert_eq!(good.state, State::Good(None));
    let has = |end: &str| good.files.iter().any(|file| file.ends_with(end));
    assert!(has("stdio.h") && has("gcc"), "{:?}", good.files);

    let header = "#include <no_such_header.h>\nint main(void) { return 0; }\n";
    let State::Broken(said) = Tool::library("x", header, &[], "p", "w").check().state else {
        panic!("a missing header is found");
    };
    assert!(said.contains("no_such_header.h"), "{said}");

    let main = "int main(void) { return 0; }\n";
    let library = Tool::library("x", main, &["-lno_such_library"], "p", "w");
    let State::Broken(said) = library.check().state else {
        panic!("a missing library is found");
    };
    assert!(said.contains("no_such_library"), "{said}");
}

#[test]
fn a_compiler_that_is_not_there_leaves_a_library_missing() {
    let tool = Tool::library("x", "int main(void) { return 0; }\n", &[], "p", "w");
    let checked = tool.check_in(OsStr::new("/nowhere"));
    assert_eq!(checked.state, State::Missing);
}

#[test]
fn a_module_is_imported_by_its_interpreter() {
    let module = |name| Tool::python_module(name, Importer::Scripts, "p", "for a test").check();
    let good = module("json");
    assert_eq!(good.state, State::Good(None));
    assert!(
        good.files
            .iter()
            .any(|file| file.ends_with("json/__init__.py"))
    );
    let State::Broken(said) = module("no_such_module").state else {
        panic!("a missing module is imported");
    };
    assert!(said.contains("no_such_module"), "{said}");
}

#[test]
fn paths_are_taken_from_what_compiler_and_linker_print() {
    let own = std::env::current_exe().unwrap();
    let own = own.to_string_lossy();
    let said = format!(".. {own}\n({own})member.o\nMultiple include guards\n/no/such/file\n");
    assert_eq!(absolute_paths(&said), [PathBuf::from(&*own)]);
}
