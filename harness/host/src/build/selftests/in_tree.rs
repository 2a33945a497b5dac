// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Builds selftests of the kernel's tree, `tools/testing/selftests/bpf`, with the tree's own Makefile:
//! those that the series adds, or those that a regular expression selects.
//!
//! `test_progs` is one program with all tests of the tree: building hundreds of tests takes an hour, a
//! kernel with modules, and many libraries. The Makefile builds all files in `progs/` and `prog_tests/`,
//! so it gets a tree that has only the wanted files there.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;
use regex::Regex;
use xshell::Cmd;

use super::prune::prune;
use super::{CLANG, compiler_version, vmlinux_h};
use crate::build::bpftool::Bpftool;
use crate::build::kernel::Kernel;
use crate::build::libelf;
use crate::build::sysroot;
use crate::env::atomic;
use crate::env::cache_key::Digest;
use crate::env::command::{self, cmd, shell_in};
use crate::env::context::{Arch, Context};
use crate::queue::series::Series;
use crate::queue::source::{self, Source};

mod overlay;
mod selection;

use overlay::{FOLDER, TESTS};

/// Variables for the tree's Makefile.
const VARIABLES: &[(&str, &str)] = &[
    ("CLANG", CLANG),
    // no disassembler, which needs LLVM's libraries
    ("feature-llvm", "0"),
    // modules and programs of other tests
    ("TRUNNER_EXTRA_FILES", ""),
    ("TRUNNER_BPFTOOL", ""),
    // skeletons of files that the tree lacks
    ("LINKED_SKELS", ""),
    ("LSKELS", ""),
    ("LSKELS_EXTRA", ""),
];

/// Number of builds in the cache.
const KEPT: usize = 8;

/// A `test_progs` with some tests of the tree.
#[derive(Clone, Debug)]
pub struct InTree {
    /// The program, static.
    pub program: PathBuf,
    /// The tests that it must have.
    pub tests: Vec<String>,
}

/// Builds the program with the tests that the series adds, or with those whose names match `filter`; or
/// finds it in the cache. For an external tree it is built in `into`.
///
/// # Errors
///
/// If there is no such test, or they do not compile.
pub fn build(
    ctx: &Context,
    kernel: &Kernel,
    bpftool: &Bpftool,
    filter: Option<&Regex>,
    into: &Path,
) -> Result<InTree> {
    let series = Series::load(&ctx.patches())?;
    let header = vmlinux_h::write(ctx, &kernel.vmlinux, &bpftool.path)?;
    let job = InTreeJob {
        ctx,
        series: &series,
        filter,
        variables: variables(ctx, kernel, bpftool, &header)?,
    };
    match &kernel.source {
        Some(tree) => job.make(tree, into),
        None => job.of_series(&header, bpftool),
    }
}

/// The files that the series adds to [`FOLDER`].
fn added(series: &Series) -> Vec<String> {
    let paths = series.patches.iter().flat_map(|patch| patch.added());
    paths
        .filter_map(|path| {
            path.strip_prefix(FOLDER)?
                .strip_prefix('/')
                .map(str::to_owned)
        })
        .collect()
}

/// The names of the C files in `folder` without `.c`, sorted. A file contains the test of its name.
fn stems(files: &[String], folder: &str) -> Vec<String> {
    let mut stems: Vec<String> = files
        .iter()
        .filter_map(|file| {
            file.strip_prefix(folder)?
                .strip_prefix('/')?
                .strip_suffix(".c")
        })
        .map(str::to_owned)
        .collect();
    stems.sort();
    stems
}

/// All variables for the Makefile.
fn variables(
    ctx: &Context,
    kernel: &Kernel,
    bpftool: &Bpftool,
    header: &Path,
) -> Result<Vec<(&'static str, String)>> {
    let mut variables: Vec<(&str, String)> = VARIABLES
        .iter()
        .map(|&(name, value)| (name, value.to_owned()))
        .collect();
    variables.extend([
        ("VMLINUX_BTF", kernel.vmlinux.display().to_string()),
        ("VMLINUX_H", header.join("vmlinux.h").display().to_string()),
        ("BPFTOOL", bpftool.path.display().to_string()),
    ]);
    match sysroot::find(ctx)? {
        Some(sysroot) => variables.extend(foreign(ctx.arch, &sysroot)),
        None => variables.push(("CC", "ccache gcc".to_owned())),
    }
    Ok(variables)
}

/// Variables for a foreign architecture.
fn foreign(arch: Arch, sysroot: &Path) -> Vec<(&'static str, String)> {
    let names = arch.names();
    let cc = format!("ccache {}gcc --sysroot={}", names.cross, sysroot.display());
    vec![
        ("ARCH", names.kernel.to_owned()),
        ("CROSS_COMPILE", names.cross.to_owned()),
        ("CC", cc),
    ]
}

/// One build.
struct InTreeJob<'a> {
    ctx: &'a Context,
    series: &'a Series,
    filter: Option<&'a Regex>,
    variables: Vec<(&'static str, String)>,
}

impl InTreeJob<'_> {
    /// The program for base and series, from the cache or newly built.
    fn of_series(&self, header: &Path, bpftool: &Bpftool) -> Result<InTree> {
        let cache = self.ctx.cache_dir("in-tree")?;
        let source = source::find(self.ctx)?;
        let entry = cache.join(self.key(&source, header, bpftool)?);
        if let Some(known) = find(&entry)? {
            return Ok(known);
        }
        let tree = source.hold_tree(self.ctx)?;
        let commits = source.apply(&tree.git, self.series)?;
        let commit = commits.last().map_or("base", String::as_str);
        tree.git.check_out(commit)?;
        let new = atomic::new_folder(&cache)?;
        let built = self.make(tree.git.dir(), &new.path().join("build"))?;
        let published = publish(&built, new.path(), &entry)?;
        prune(&cache, KEPT);
        Ok(published)
    }

    /// Key of all inputs of the program; the paths of the kernel's types and of bpftool contain the keys of
    /// those.
    fn key(&self, source: &Source, header: &Path, bpftool: &Bpftool) -> Result<String> {
        let mut key = Digest::default();
        key.add("version", &source.package.version);
        key.add("series", self.series.key());
        for path in [header, &bpftool.path] {
            key.add("made", path.as_os_str().as_encoded_bytes());
        }
        key.add("arch", self.ctx.arch.names().name);
        key.add("compiler", compiler_version()?);
        key.add("filter", self.filter.map_or("", Regex::as_str));
        for (name, value) in VARIABLES {
            key.add(name, value);
        }
        Ok(key.key())
    }

    /// Builds the program of `tree` in `dir`.
    fn make(&self, tree: &Path, dir: &Path) -> Result<InTree> {
        let files = self.files(tree)?;
        let tests = stems(&files, TESTS);
        let what = format!("{} of the tree's own selftests", tests.len());
        let stage = self.ctx.progress.stage("tests", format!("building {what}"));
        let (links, out) = (dir.join("tree"), dir.join("out"));
        overlay::make(tree, &links, &files)?;
        fs::create_dir_all(&out)?;
        let sh = shell_in(links.join(FOLDER))?;
        command::output(self.command(&sh, &out)?)
            .with_context(|| format!("the selftests {} do not compile", tests.join(", ")))?;
        stage.done(format!("built {what}"));
        Ok(InTree {
            program: out.join("test_progs"),
            tests,
        })
    }

    /// The wanted files of `tree`, at least one of them a test.
    fn files(&self, tree: &Path) -> Result<Vec<String>> {
        let files = match self.filter {
            Some(filter) => selection::files(&tree.join(FOLDER), filter)?,
            None => added(self.series),
        };
        let wanted = match self.filter {
            Some(filter) => format!("no test in {FOLDER}/{TESTS} matches `{filter}`"),
            None => format!("the series adds no test to {FOLDER}/{TESTS}"),
        };
        ensure!(!stems(&files, TESTS).is_empty(), wanted);
        Ok(files)
    }

    /// Flags to link a static program.
    fn linker_flags(&self) -> Result<String> {
        let sysroot = sysroot::find(self.ctx)?;
        Ok(
            match libelf::folder(self.ctx, self.ctx.arch, sysroot.as_deref())? {
                Some(folder) => format!("-static -L{}", folder.display()),
                None => "-static".to_owned(),
            },
        )
    }

    fn command<'s>(&self, sh: &'s xshell::Shell, out: &Path) -> Result<Cmd<'s>> {
        let jobs = self.ctx.jobs.to_string();
        let variables = self.variables.iter();
        let variables = variables.map(|(name, value)| format!("{name}={value}"));
        Ok(
            cmd!(sh, "make -j{jobs} {variables...} OUTPUT={out} test_progs")
                .env("CCACHE_DIR", self.ctx.cache_dir("ccache")?)
                // static, because the guest has no libraries; in the environment, because as an argument
                // of make it would apply to the shared library of libbpf's build as well
                .env("LDLIBS", self.linker_flags()?),
        )
    }
}

/// The program's name in an entry of the cache, and that of the list of its tests, one in a line.
const PROGRAM: &str = "test_progs";
const LIST: &str = "tests";

/// The program of this entry of the cache.
fn find(entry: &Path) -> Result<Option<InTree>> {
    let program = entry.join(PROGRAM);
    if !program.is_file() {
        return Ok(None);
    }
    let tests = fs::read_to_string(entry.join(LIST))?;
    let tests = tests.lines().map(str::to_owned).collect();
    Ok(Some(InTree { program, tests }))
}

/// Copies a built program into the cache as `entry`; `new` is a temporary folder there.
fn publish(built: &InTree, new: &Path, entry: &Path) -> Result<InTree> {
    let ready = new.join("ready");
    fs::create_dir(&ready)?;
    fs::copy(&built.program, ready.join(PROGRAM))?;
    fs::write(ready.join(LIST), built.tests.join("\n"))?;
    atomic::rename(&ready, entry)?;
    Ok(InTree {
        program: entry.join(PROGRAM),
        tests: built.tests.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_the_files_of_prog_tests() {
        let files = [
            "prog_tests/b.c",
            "progs/c.c",
            "prog_tests/a.c",
            "prog_tests/a.h",
        ]
        .map(str::to_owned);
        assert_eq!(stems(&files, TESTS), ["a", "b"]);
        assert_eq!(stems(&files, "progs"), ["c"]);
    }

    #[test]
    fn a_foreign_program_uses_compiler_and_libraries_of_its_architecture() {
        let variables = foreign(Arch::Arm64, Path::new("/sysroot"));
        assert!(variables.contains(&("ARCH", "arm64".to_owned())));
        let cc = "ccache aarch64-linux-gnu-gcc --sysroot=/sysroot".to_owned();
        assert!(variables.contains(&("CC", cc)));
    }
}
