// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Tools that work, are missing, are too old, or do not do what the harness uses them for.

use std::collections::HashSet;
use std::ffi::OsString;

use super::check::{absolute_paths, parse_version};
use super::*;
use crate::env::arch::Arch;
use crate::env::command;
use crate::test_support::write_executable;

fn tool(name: &str, proof: Proof) -> Tool {
    Tool {
        name: name.to_owned(),
        purposes: Vec::new(),
        minimum: None,
        is_static: false,
        proof,
        package: "p".to_owned(),
        why: "for a test".to_owned(),
    }
}

fn program(name: &str, minimum: Option<Version>) -> Tool {
    Tool {
        minimum,
        ..tool(name, Proof::default())
    }
}

fn library(source: &str, args: &[&str]) -> Tool {
    let proof = Proof::Link {
        source: source.to_owned(),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
    };
    tool("x", proof)
}

/// A folder with a program `name` that runs `script`.
fn folder_with(name: &str, script: &str) -> (tempfile::TempDir, OsString) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    write_executable(&file, format!("#!/bin/sh\n{script}\n"));
    let path = command::in_front(&[dir.path()], &command::search_path());
    (dir, path)
}

#[test]
fn the_version_is_parsed_from_the_output_of_each_tool() {
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
    let mut seen = HashSet::new();
    for tool in every() {
        assert!(
            seen.insert(tool.identity()),
            "{tool:?} is in the table twice"
        );
    }
    assert_eq!(distinct(every()).len(), every().len());
}

#[test]
fn the_program_git_does_not_hide_the_python_module_git() {
    let tools = needed(Arch::X86_64)
        .into_iter()
        .chain(of(&[Purpose::Series]));
    let packages: Vec<&str> = distinct(tools)
        .iter()
        .filter(|tool| tool.name == "git")
        .map(|tool| tool.package.as_str())
        .collect();
    assert_eq!(packages, ["git", "python3-git"]);
}

#[test]
fn every_tool_has_a_purpose_a_package_and_a_reason() {
    for tool in every() {
        assert!(!tool.package.is_empty() && !tool.why.is_empty(), "{tool:?}");
        assert!(!tool.purposes.is_empty(), "{tool:?}");
        assert!(!tool.is_static || tool.is_program(), "{tool:?}");
    }
}

#[test]
fn every_purpose_has_a_tool() {
    for purpose in [
        Purpose::Patches,
        Purpose::Source,
        Purpose::Kernel,
        Purpose::Run,
        Purpose::X86_64Guest,
        Purpose::Arm64Guest,
        Purpose::Arm64Cross,
        Purpose::Arm64Native,
        Purpose::Series,
        Purpose::Documentation,
        Purpose::TreeTests,
        Purpose::Mainline,
        Purpose::Tests,
        Purpose::SetupTest,
    ] {
        assert!(!of(&[purpose]).is_empty(), "{purpose:?}");
    }
}

#[test]
fn a_kernel_that_the_user_built_needs_fewer_tools() {
    let names = |origin| -> Vec<&str> {
        let tools = needed_for(Arch::X86_64, origin);
        tools.iter().map(|tool| tool.name.as_str()).collect()
    };
    assert!(names(Origin::Series).contains(&"pahole") && names(Origin::Series).contains(&"xz"));
    assert!(names(Origin::Tree).contains(&"pahole") && !names(Origin::Tree).contains(&"xz"));
    assert!(!names(Origin::Built).contains(&"pahole"));
    for origin in [Origin::Series, Origin::Tree, Origin::Built] {
        assert!(names(origin).contains(&"clang-19") && names(origin).contains(&"gcc"));
    }
}

#[test]
fn a_tool_is_missing_or_too_old_or_good() {
    let state = |name, minimum| program(name, minimum).check().state;
    assert_eq!(state("no-such-program", None), ToolState::Missing);
    assert_eq!(state("true", None), ToolState::Good(None));
    assert!(matches!(
        state("git", Some(Version(999, 0))),
        ToolState::TooOld(path, _) if path.ends_with("git")
    ));
}

#[test]
fn a_program_that_does_not_run_is_broken_with_or_without_a_minimum() {
    let (_dir, path) = folder_with("tool", "echo it is broken >&2; exit 3");
    for minimum in [None, Some(Version(1, 0))] {
        let ToolState::Broken(message) = program("tool", minimum).check_in(&path).state else {
            panic!("a program that fails is good");
        };
        assert!(message.contains("it is broken"), "{message}");
    }
}

#[test]
fn a_program_that_prints_a_wrong_result_is_broken() {
    let (_dir, path) = folder_with("tool", "cat >/dev/null; echo 43");
    let proof = Proof::Run {
        args: vec!["-q".to_owned()],
        input: "6*7\n".to_owned(),
        output: "42".to_owned(),
    };
    let tool = tool("tool", proof);
    let ToolState::Broken(message) = tool.check_in(&path).state else {
        panic!("a wrong result is good");
    };
    assert!(message.contains("\"43\", expected \"42\""), "{message}");
}

#[test]
fn a_dynamic_program_is_not_a_static_one() {
    let tool = Tool {
        is_static: true,
        ..program("sh", None)
    };
    let ToolState::Broken(message) = tool.check().state else {
        panic!("the machine's sh is static");
    };
    assert!(message.ends_with("sh is not static"), "{message}");
}

#[test]
fn a_library_is_linked_by_the_compiler() {
    let source = "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n";
    let good = library(source, &[]).check();
    assert_eq!(good.state, ToolState::Good(None));
    let has = |end: &str| good.files.iter().any(|file| file.ends_with(end));
    assert!(has("stdio.h") && has("gcc"), "{:?}", good.files);

    let header = "#include <no_such_header.h>\nint main(void) { return 0; }\n";
    let ToolState::Broken(message) = library(header, &[]).check().state else {
        panic!("a missing header is found");
    };
    assert!(message.contains("no_such_header.h"), "{message}");

    let main = "int main(void) { return 0; }\n";
    let ToolState::Broken(message) = library(main, &["-lno_such_library"]).check().state else {
        panic!("a missing library is found");
    };
    assert!(message.contains("no_such_library"), "{message}");
}

#[test]
fn without_a_compiler_a_library_is_missing() {
    let tool = library("int main(void) { return 0; }\n", &[]);
    let checked = tool.check_in(OsStr::new("/nowhere"));
    assert_eq!(checked.state, ToolState::Missing);
}

#[test]
fn a_module_is_imported_by_its_interpreter() {
    let module = |name| tool(name, Proof::Import(Importer::Scripts)).check();
    let good = module("json");
    assert_eq!(good.state, ToolState::Good(None));
    assert!(
        good.files
            .iter()
            .any(|file| file.ends_with("json/__init__.py"))
    );
    let ToolState::Broken(message) = module("no_such_module").state else {
        panic!("a missing module is imported");
    };
    assert!(message.contains("no_such_module"), "{message}");
}

#[test]
fn paths_are_parsed_from_the_output_of_compiler_and_linker() {
    let own = std::env::current_exe().unwrap();
    let own = own.to_string_lossy();
    let printed = format!(".. {own}\n({own})member.o\nMultiple include guards\n/no/such/file\n");
    assert_eq!(absolute_paths(&printed), [PathBuf::from(&*own)]);
}
