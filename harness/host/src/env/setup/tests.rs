// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What set-up prints before it changes anything, and what it reports about tools it cannot install.

use fs_err as fs;

use super::*;
use crate::env::apt::{Change, Plan};
use crate::env::context::Arch;
use crate::env::tools::{Origin, Version, every, needed_for};
use crate::test_support::write_executable;

/// A tool of the table by its package.
fn tool(package: &str) -> &'static Tool {
    let all = every();
    all.into_iter()
        .find(|tool| tool.package == package)
        .unwrap_or_else(|| panic!("no tool comes from {package}"))
}

fn change(package: &str, old: Option<&str>) -> Change {
    Change {
        package: package.to_owned(),
        old: old.map(str::to_owned),
        new: "2".to_owned(),
    }
}

fn proposal(packages: &[&str], split: Split) -> Proposal<'static> {
    let mut tools: BTreeMap<&'static str, BadTools<'static>> = BTreeMap::new();
    for package in packages {
        let tool = tool(package);
        tools.insert(tool.package.as_str(), vec![(tool, ToolState::Missing)]);
    }
    Proposal { tools, split }
}

#[test]
fn each_package_is_listed_with_its_reason() {
    let split = Split {
        installable: vec!["bc".to_owned(), "python3-git".to_owned()],
        plan: Plan {
            changes: vec![
                change("bc", None),
                change("python3-git", None),
                change("python3-gitdb", None),
                change("libc6", Some("1")),
            ],
            ..Plan::default()
        },
        others: vec![(
            "qemu-system-x86".to_owned(),
            "installing would remove qemu-utils".to_owned(),
        )],
    };
    let lines = proposal(&["bc", "python3-git", "qemu-system-x86"], split).lines();
    assert_eq!(
        lines,
        [
            "install bc 2: bc (the kernel's timeconst.h)",
            "install python3-git 2: Python module git (checkpatch's spdxcheck.py finds the licences \
             with it)",
            "with 2 packages that these depend on",
            "upgraded among those: libc6",
            "unpack qemu-system-x86 into the cache (installing would remove qemu-utils): \
             qemu-system-x86_64 (runs the guest)",
        ]
    );
}

#[test]
fn an_installed_package_is_not_listed() {
    let split = Split {
        installable: vec!["bc".to_owned(), "libelf-dev".to_owned()],
        plan: Plan {
            changes: vec![change("bc", None)],
            ..Plan::default()
        },
        ..Split::default()
    };
    let lines = proposal(&["bc", "libelf-dev"], split).lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn a_library_is_not_unpacked() {
    let reason = "installing would remove x".to_owned();
    let split = Split {
        others: vec![("libelf-dev".to_owned(), reason)],
        ..Split::default()
    };
    let proposal = proposal(&["libelf-dev"], split);
    assert!(!proposal.is_unpackable("libelf-dev"));
    assert!(proposal.lines()[0].starts_with("cannot install libelf-dev ("));
    let error = proposal.ensure_possible().unwrap_err().to_string();
    for part in [
        "libelf-dev: installing would remove x",
        "library libelf (objtool",
        "by hand",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
}

#[test]
fn a_bad_tool_is_described_with_its_path_and_fault() {
    let old = Tool {
        minimum: Some(Version(1, 22)),
        ..tool("dwarves").clone()
    };
    let broken = ToolState::Broken("/usr/bin/python3: no module named git".to_owned());
    let bad_tools = [
        (
            &old,
            ToolState::TooOld("/opt/pahole".into(), Version(1, 20)),
        ),
        (tool("python3-git"), broken),
        (tool("bc"), ToolState::Missing),
    ];
    let text = describe(&bad_tools);
    for part in [
        "pahole: /opt/pahole is 1.20, expected 1.22 or newer (writes the kernel's BTF)",
        "Python module git: /usr/bin/python3: no module named git (",
        "bc: is missing (",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn packages_are_named_once() {
    let tools = needed_for(Arch::X86_64, Origin::Series);
    let twice: BadTools<'_> = tools
        .iter()
        .chain(&tools)
        .map(|tool| (*tool, ToolState::Missing))
        .collect();
    assert_eq!(
        packages(&twice).len(),
        packages(&twice[..tools.len()]).len()
    );
}

#[test]
fn a_program_that_cannot_be_installed_is_unpacked() {
    let reason = "installing would remove qemu-utils".to_owned();
    let split = Split {
        others: vec![("qemu-system-x86".to_owned(), reason)],
        ..Split::default()
    };
    proposal(&["qemu-system-x86"], split)
        .ensure_possible()
        .unwrap();
}

/// A context with an empty cache.
fn context(dir: &std::path::Path) -> Context {
    Context::of_test(dir)
}

/// Writes an unpacked program that prints 42 into the cache.
fn unpack(ctx: &Context, name: &str) -> PathBuf {
    let programs = unpacked::programs(&ctx.cache);
    fs::create_dir_all(&programs).unwrap();
    let file = programs.join(name);
    write_executable(&file, "#!/bin/sh\necho 42\n");
    file
}

#[test]
fn an_unpacked_program_replaces_a_missing_one() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path());
    let missing = Tool {
        name: "no-such-program-here".to_owned(),
        ..tool("rsync").clone()
    };
    let (bad_tools, _) = check(&ctx, &[&missing]).unwrap();
    assert_eq!(bad_tools.len(), 1);
    let file = unpack(&ctx, &missing.name);
    let (bad_tools, files) = check(&ctx, &[&missing]).unwrap();
    assert!(bad_tools.is_empty(), "{bad_tools:?}");
    // the result depends on the program and on the package's stamp
    assert!(files.contains(&file));
    assert!(files.contains(&unpacked::stamp(&ctx.cache, &missing.package)));
}

#[test]
fn the_machines_own_program_is_preferred() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path());
    let machines = Tool {
        name: "true".to_owned(),
        ..tool("rsync").clone()
    };
    let file = unpack(&ctx, &machines.name);
    let (bad_tools, files) = check(&ctx, &[&machines]).unwrap();
    assert!(bad_tools.is_empty() && !files.contains(&file));
    assert!(
        !file.exists(),
        "the unpacked program would hide the machine's"
    );
}

#[test]
fn good_tools_are_not_checked_again() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path());
    let good = Tool {
        name: "true".to_owned(),
        ..tool("rsync").clone()
    };
    ensure(&ctx, &[&good]).unwrap();
    assert!(CheckedTools::new(&ctx, &[&good]).unwrap().is_valid());
}
