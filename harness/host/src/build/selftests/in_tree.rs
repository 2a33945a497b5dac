// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The selftests that the series adds to the kernel's tree, `tools/testing/selftests/bpf`, for those
//! who have the series without this repository: built by the tree's own Makefile.
//!
//! Its `test_progs` is one program of all tests. All of them are hundreds, which take an hour, a
//! kernel with modules and the libraries of half a distribution. The Makefile builds what lies in
//! `progs/` and `prog_tests/`, so it is given a tree in which only the series' own files lie there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use xshell::Cmd;

use super::prune::prune;
use super::{CLANG, compiler_version, vmlinux_h};
use crate::build::bpftool::Bpftool;
use crate::build::kernel::Kernel;
use crate::build::libelf;
use crate::build::sysroot;
use crate::env::cache_key::Digest;
use crate::env::command::{self, command, shell_in};
use crate::env::context::{Arch, Context};
use crate::queue::series::Series;
use crate::queue::source::{self, Source};

mod overlay;

use overlay::{FOLDER, TESTS};

/// What the tree's Makefile is told, and why.
const VARIABLES: &[(&str, &str)] = &[
    ("CLANG", CLANG),
    // no disassembler, which would take LLVM's libraries
    ("feature-llvm", "0"),
    // modules and programs that only other tests need
    ("TRUNNER_EXTRA_FILES", ""),
    ("TRUNNER_BPFTOOL", ""),
    // skeletons of files that are not there
    ("LINKED_SKELS", ""),
    ("LSKELS", ""),
    ("LSKELS_EXTRA", ""),
];

/// Builds that are kept.
const KEPT: usize = 8;

/// A `test_progs` with the tests of the series.
#[derive(Clone, Debug)]
pub struct InTree {
    /// The program, static.
    pub program: PathBuf,
    /// What its tests have to be: those that the series adds.
    pub tests: Vec<String>,
}

/// Builds it, or finds it built. A program of a tree of the user's is built in `into`.
///
/// # Errors
///
/// Where the series adds no tests, and where they do not compile.
pub fn build(ctx: &Context, kernel: &Kernel, bpftool: &Bpftool, into: &Path) -> Result<InTree> {
    let series = Series::load(&ctx.patches())?;
    let files = added(&series);
    let tests = stems(&files, TESTS);
    ensure!(
        !tests.is_empty(),
        "the series adds no test to {FOLDER}/{TESTS}; there is nothing to run"
    );
    let header = vmlinux_h::write(ctx, &kernel.vmlinux, &bpftool.path)?;
    let job = Job {
        ctx,
        series: &series,
        files: &files,
        variables: variables(ctx, kernel, bpftool, &header)?,
    };
    let program = match &kernel.source {
        Some(tree) => job.make(tree, into)?,
        None => job.of_series(&header, bpftool)?,
    };
    Ok(InTree { program, tests })
}

/// The files that the series adds there.
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

/// The C files of a folder, by their names without `.c`, in order. A file holds the test of its name.
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

/// All that the Makefile is told.
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

/// What a foreign architecture takes.
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
struct Job<'a> {
    ctx: &'a Context,
    series: &'a Series,
    files: &'a [String],
    variables: Vec<(&'static str, String)>,
}

impl Job<'_> {
    /// The program of base and series, out of the cache or newly built.
    fn of_series(&self, header: &Path, bpftool: &Bpftool) -> Result<PathBuf> {
        let cache = self.ctx.cache_dir("in-tree")?;
        let source = source::find(self.ctx)?;
        let entry = cache.join(self.key(&source, header, bpftool)?);
        let program = entry.join("test_progs");
        if program.is_file() {
            return Ok(program);
        }
        let tree = source.hold_tree(self.ctx)?;
        let commits = source.apply(&tree.git, self.series)?;
        let commit = commits.last().map_or("base", String::as_str);
        tree.git.check_out(commit)?;
        let new = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&cache)
            .with_context(|| format!("cannot write to {}", cache.display()))?;
        let built = self.make(tree.git.dir(), &new.path().join("build"))?;
        publish(&built, new.path(), &entry)?;
        prune(&cache, KEPT);
        Ok(program)
    }

    /// Key of all that goes into the program; the kernel's types lie under a key of their own, and so
    /// does bpftool.
    fn key(&self, source: &Source, header: &Path, bpftool: &Bpftool) -> Result<String> {
        let mut key = Digest::default();
        key.add("version", &source.package.version);
        key.add("series", self.series.key());
        for path in [header, &bpftool.path] {
            key.add("made", path.as_os_str().as_encoded_bytes());
        }
        key.add("arch", self.ctx.arch.names().name);
        key.add("compiler", compiler_version()?);
        for (name, value) in VARIABLES {
            key.add(name, value);
        }
        Ok(key.key())
    }

    /// Builds the program of `tree` in `dir`, and returns it.
    fn make(&self, tree: &Path, dir: &Path) -> Result<PathBuf> {
        let stage = self
            .ctx
            .progress
            .stage("tests", "building the tree's own selftests of the series");
        let (links, out) = (dir.join("tree"), dir.join("out"));
        overlay::make(tree, &links, self.files)?;
        fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
        let sh = shell_in(links.join(FOLDER))?;
        command::output(self.command(&sh, &out)?)
            .context("the selftests that the series adds to the tree do not compile")?;
        stage.done("built the tree's own selftests of the series");
        Ok(out.join("test_progs"))
    }

    /// What tells make how to link.
    fn linker(&self) -> Result<String> {
        let sysroot = sysroot::find(self.ctx)?;
        Ok(
            match libelf::folder(self.ctx, self.ctx.arch, sysroot.as_deref())? {
                Some(folder) => format!("-static -L{}", folder.display()),
                None => "-static".to_owned(),
            },
        )
    }

    fn command<'s>(&self, sh: &'s xshell::Shell, out: &Path) -> Result<Cmd<'s>> {
        let variables = self.variables.iter();
        Ok(command(sh, "make")
            .env("CCACHE_DIR", self.ctx.cache_dir("ccache")?)
            // the guest has no libraries; as a variable of make's own it would reach libbpf's build,
            // which makes a shared library, too
            .env("LDLIBS", self.linker()?)
            .arg(format!("-j{}", self.ctx.jobs))
            .args(variables.map(|(name, value)| format!("{name}={value}")))
            .arg(format!("OUTPUT={}", out.display()))
            .arg("test_progs"))
    }
}

/// Makes `program` the entry of the cache, by way of the folder `new`.
fn publish(program: &Path, new: &Path, entry: &Path) -> Result<()> {
    let ready = new.join("ready");
    let put = || {
        fs::create_dir(&ready)?;
        fs::copy(program, ready.join("test_progs"))?;
        fs::rename(&ready, entry)
    };
    put().with_context(|| format!("cannot write {}", entry.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_a_file_of_prog_tests() {
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
    fn a_foreign_program_is_made_by_its_compiler_with_its_libraries() {
        let variables = foreign(Arch::Arm64, Path::new("/sysroot"));
        assert!(variables.contains(&("ARCH", "arm64".to_owned())));
        let cc = "ccache aarch64-linux-gnu-gcc --sysroot=/sysroot".to_owned();
        assert!(variables.contains(&("CC", cc)));
    }
}
