// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Every patch builds alone, with `W=1` and no new warning; and the whole series builds without the
//! features that it belongs to.
//!
//! After each patch everything is compiled that lies where the series changes something: what the
//! patch touches, and what there sees a header that it touches. The whole kernel is linked once a
//! configuration, at the end of the series; boot-test links and boots the one that is used.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Findings, Place};
use crate::bpftool;
use crate::digest::Digest;
use crate::kconfig::{self, Requests};
use crate::kernel::Build;
use crate::series::Series;

/// A build without a feature: the name of its folder, and what is asked for otherwise.
type Without = (&'static str, &'static [(&'static str, &'static str)]);

/// The builds that leave out what the series is about. They are compiled and linked, not booted, and
/// need no debug information.
const WITHOUT: [Without; 2] = [
    (
        "no-bpf-syscall",
        &[
            ("CONFIG_BPF_SYSCALL", "n"),
            ("CONFIG_DEBUG_INFO_DWARF4", "n"),
            ("CONFIG_DEBUG_INFO_NONE", "y"),
        ],
    ),
    (
        "no-bpf-jit",
        &[
            ("CONFIG_BPF_JIT", "n"),
            ("CONFIG_DEBUG_INFO_DWARF4", "n"),
            ("CONFIG_DEBUG_INFO_NONE", "y"),
        ],
    ),
];

/// Changes here are built by building bpftool, which links libbpf.
const TOOLS: [&str; 2] = ["tools/bpf/bpftool/", "tools/lib/bpf/"];

/// Builds after every patch, then the whole without features.
pub fn check(place: &Place<'_>, series: &Series, findings: &mut Findings) -> Result<()> {
    let requests = kconfig::load(&kconfig::fragments(place.ctx)?)?;
    let commits = place.commits()?;
    let touched = touched(place, "base", super::SERIES)?;
    let mut before = "base".to_owned();
    let mut known = None;
    for (patch, commit) in series.patches.iter().zip(&commits) {
        let states = [before.as_str(), commit.as_str()];
        let key = key(place, "patch", &states, &requests)?;
        let passed = place.once(&key, findings, || {
            if known.is_none() {
                known = Some(warnings_of_base(place, &requests, &touched)?);
            }
            let known = known.as_ref().map_or(&[][..], Vec::as_slice);
            place.tree.check_out(commit)?;
            let mut wrong = objects(place, &requests, &touched, &patch.name, known)?;
            wrong.extend(tools(place, &before, commit, &patch.name)?);
            Ok(wrong)
        })?;
        if !passed {
            // what follows would fail for the same reason
            return Ok(());
        }
        before.clone_from(commit);
    }
    for (name, changes) in WITHOUT {
        let requests = requests.with(changes);
        let key = key(place, name, &[super::SERIES], &requests)?;
        place.once(&key, findings, || without(place, name, &requests, changes))?;
    }
    Ok(())
}

/// Key of a build: the files of the states of the tree that it is about. What a patch says is no
/// part of it.
fn key(place: &Place<'_>, what: &str, states: &[&str], requests: &Requests) -> Result<Digest> {
    let mut key = Digest::default();
    key.add("build", what);
    for state in states {
        let files = place
            .tree
            .run(["rev-parse", &format!("{state}^{{tree}}")])?;
        key.add("files", files);
    }
    key.add("config", requests.text());
    key.add("arch", place.ctx.arch.names().name);
    Ok(key)
}

/// The files that differ between two commits.
fn touched(place: &Place<'_>, from: &str, to: &str) -> Result<BTreeSet<String>> {
    let names = place.tree.run(["diff", "--name-only", from, to])?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// What make is asked for: the folders of the sources that the series touches. A folder that is the
/// top of a subsystem holds too much, there it is the object.
fn targets(tree: &Path, touched: &BTreeSet<String>, arch: &str) -> Vec<String> {
    const NOT_THE_KERNEL: [&str; 4] = ["tools/", "samples/", "scripts/", "Documentation/"];
    let mut targets = BTreeSet::new();
    for file in touched {
        let other_arch = file.starts_with("arch/") && !file.starts_with(arch);
        let foreign = other_arch || NOT_THE_KERNEL.iter().any(|top| file.starts_with(top));
        let Some(object) = file.strip_suffix(".c").filter(|_| !foreign) else {
            continue;
        };
        match file.rsplit_once('/') {
            Some((dir, _)) if dir.contains('/') => targets.insert(format!("{dir}/")),
            _ if tree.join(file).exists() => targets.insert(format!("{object}.o")),
            _ => false,
        };
    }
    targets.into_iter().collect()
}

fn build<'a>(place: &Place<'a>) -> Build<'a> {
    Build::named(place.ctx, place.tree.dir(), "check").with_warnings()
}

/// The warnings that the base has where the series touches it.
fn warnings_of_base(
    place: &Place<'_>,
    requests: &Requests,
    touched: &BTreeSet<String>,
) -> Result<Vec<String>> {
    place.tree.check_out("base")?;
    let build = build(place);
    let memory = build.out().join("warnings-of-base");
    let mut key = Digest::default();
    key.add(
        "touched",
        touched.iter().cloned().collect::<Vec<_>>().join("\n"),
    );
    key.add("config", requests.text());
    let key = key.key();
    if let Ok(text) = fs::read_to_string(&memory)
        && let Some(("", warnings)) = text.split_once(&key)
    {
        return Ok(warnings.lines().map(str::to_owned).collect());
    }
    // compiled from nothing, or make would say nothing of what it has compiled before
    if build.out().exists() {
        fs::remove_dir_all(build.out())
            .with_context(|| format!("cannot remove {}", build.out().display()))?;
    }
    let stage = place.ctx.progress.stage("check", "compiling the base");
    build.configure(requests)?;
    let targets = targets(place.tree.dir(), touched, &arch_folder(place));
    if !targets.is_empty() {
        build.make(
            &targets.iter().map(String::as_str).collect::<Vec<_>>(),
            &stage,
        )?;
    }
    let warnings = warnings(&fs::read_to_string(build.log()).unwrap_or_default());
    fs::write(&memory, format!("{key}{}", warnings.join("\n")))
        .with_context(|| format!("cannot write {}", memory.display()))?;
    stage.done("compiled the base");
    Ok(warnings)
}

/// Compiles what is checked out, and returns what is wrong with it.
fn objects(
    place: &Place<'_>,
    requests: &Requests,
    touched: &BTreeSet<String>,
    name: &str,
    known: &[String],
) -> Result<Vec<String>> {
    let stage = place
        .ctx
        .progress
        .stage("check", format!("compiling {name}"));
    let build = build(place);
    let targets = targets(place.tree.dir(), touched, &arch_folder(place));
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let made = build
        .configure(requests)
        .and_then(|()| build.make(&targets, &stage));
    if let Err(error) = made {
        return Ok(vec![format!("{name}: {error:#}")]);
    }
    let log = fs::read_to_string(build.log())
        .with_context(|| format!("cannot read {}", build.log().display()))?;
    stage.done(format!("compiled {name}"));
    Ok(warnings(&log)
        .into_iter()
        .filter(|warning| !known.contains(warning))
        .map(|warning| format!("{name}: new warning: {warning}"))
        .collect())
}

/// Builds bpftool where a patch touches it or libbpf.
fn tools(place: &Place<'_>, before: &str, commit: &str, name: &str) -> Result<Vec<String>> {
    let touched = touched(place, before, commit)?;
    let is_tool = |file: &String| TOOLS.iter().any(|dir| file.starts_with(dir));
    if !touched.iter().any(is_tool) {
        return Ok(Vec::new());
    }
    Ok(match bpftool::make(place.ctx, place.tree.dir()) {
        Ok(_) => Vec::new(),
        Err(error) => vec![format!("{name}: {error:#}")],
    })
}

/// Compiles and links the whole series without a feature.
fn without(
    place: &Place<'_>,
    name: &str,
    requests: &Requests,
    changes: &[(&str, &str)],
) -> Result<Vec<String>> {
    place.tree.check_out(super::SERIES)?;
    let stage = place
        .ctx
        .progress
        .stage("check", format!("building {name}"));
    let build = Build::named(place.ctx, place.tree.dir(), name);
    let config = build.resolve(requests)?;
    // much of what is asked for depends on the feature; that it is off has to hold
    Requests::default().with(changes).ensure_granted(&config)?;
    if let Err(error) = build.make(&["vmlinux"], &stage) {
        return Ok(vec![format!("{name}: {error:#}")]);
    }
    stage.done(format!("built {name}"));
    Ok(Vec::new())
}

fn arch_folder(place: &Place<'_>) -> String {
    let image = place.ctx.arch.names().image;
    let folder: Vec<&str> = image.split('/').take(2).collect();
    format!("{}/", folder.join("/"))
}

/// The warnings in a log, without the lines that they stand at: those move with every patch.
fn warnings(log: &str) -> Vec<String> {
    log.lines()
        .filter_map(|line| {
            let (place, text) = line.split_once(" warning: ")?;
            let file = place.split(':').next().unwrap_or(place);
            Some(format!("{}: {text}", file.trim_start_matches("../")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_known_by_file_and_text() {
        let log = "  CC      kernel/bpf/core.o\n\
                   ../kernel/bpf/core.c:10:5: warning: unused variable ‘a’ [-Wunused-variable]\n\
                   ../kernel/bpf/core.c:10:5: note: here\n";
        assert_eq!(
            warnings(log),
            ["kernel/bpf/core.c: unused variable ‘a’ [-Wunused-variable]"]
        );
        assert_eq!(warnings(&log.replace(":10:", ":99:")), warnings(log));
    }

    #[test]
    fn folders_are_compiled_and_objects_at_the_top_of_a_subsystem() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("kernel")).unwrap();
        fs::write(tree.path().join("kernel/sysctl.c"), "").unwrap();
        let touched = [
            "Documentation/bpf/x.rst",
            "arch/arm64/net/bpf_jit_comp.c",
            "arch/x86/net/bpf_jit_comp.c",
            "include/linux/bpf.h",
            "kernel/bpf/core.c",
            "kernel/bpf/new.c",
            "kernel/not-yet.c",
            "kernel/sysctl.c",
            "tools/lib/bpf/bpf.c",
        ];
        let touched = touched.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(
            targets(tree.path(), &touched, "arch/x86/"),
            ["arch/x86/net/", "kernel/bpf/", "kernel/sysctl.o"]
        );
    }
}
