// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Compiles the selftests, `selftests/*.bpf.c`, against the types of the kernel that will run them.
//!
//! An object is cached under the hash of everything that went into it: its source, the shared
//! header, the kernel's types, libbpf's headers, the flags and the compiler. So nothing is compiled
//! twice, and nothing stale is ever run.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};

use crate::build::bpftool::Bpftool;
use crate::env::cache_key::Digest;
use crate::env::command;
use crate::env::context::Context;

pub mod in_tree;
mod prune;
mod vmlinux_h;

/// The compiler; older ones lack what BPF arenas need.
pub const CLANG: &str = "clang-19";

/// What every selftest is compiled with. The paths that a debugger would want are left out, so that
/// an object is the same in every clone.
const FLAGS: &[&str] = &[
    "-target",
    "bpf",
    "-mcpu=v3",
    "-g",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unused-parameter",
    "-fdebug-compilation-dir=.",
];

/// Objects that are kept, of these sources and of earlier ones.
const KEPT: usize = 800;

/// The compiled selftests.
#[derive(Clone, Debug)]
pub struct Objects {
    /// The folder that holds a `*.bpf.o` for each source, and nothing else.
    pub dir: PathBuf,
    /// First line of the compiler's `--version`.
    pub compiler: String,
}

/// Compiles all programs in `programs`, a folder of the clone's selftests, against the types in
/// `vmlinux` and libbpf's headers, into the folder `into`.
///
/// # Errors
///
/// Where the compiler is missing or there is no source, and with the compiler's words for every
/// source that does not compile.
pub fn compile(
    ctx: &Context,
    programs: &Path,
    vmlinux: &Path,
    bpftool: &Bpftool,
    into: &Path,
) -> Result<Objects> {
    let sources = sources(programs)?;
    let compiler = compiler_version()?;
    let types = vmlinux_h::write(ctx, vmlinux, &bpftool.path)?;
    let job = Job {
        repo: &ctx.repo,
        cache: ctx.cache_dir("selftests")?,
        shared: shared_key(
            &[&ctx.selftests(), programs],
            &types,
            &bpftool.include,
            &compiler,
            ctx.arch.names().bpf,
        )?,
        flags: flags(&types, &bpftool.include, ctx.arch.names().bpf),
        into,
    };
    fs::create_dir_all(into).with_context(|| format!("cannot create {}", into.display()))?;
    let mut failures: Vec<String> = in_parallel(ctx.jobs, sources, |source| job.object(source))
        .iter()
        .map(|error| format!("{error:#}"))
        .collect();
    failures.sort();
    ensure!(
        failures.is_empty(),
        "{} selftest(s) do not compile:\n{}",
        failures.len(),
        failures.join("\n")
    );
    prune::prune(&job.cache, KEPT);
    Ok(Objects {
        dir: into.to_owned(),
        compiler,
    })
}

/// The sources, in the order of their names.
fn sources(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = dir
        .read_dir()
        .with_context(|| format!("cannot read the selftests in {}", dir.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot read {}", dir.display()))?
            .path();
        if path.to_string_lossy().ends_with(".bpf.c") {
            found.push(path);
        }
    }
    found.sort();
    ensure!(
        !found.is_empty(),
        "there is no *.bpf.c in {}; a run without selftests would show nothing",
        dir.display()
    );
    Ok(found)
}

fn compiler_version() -> Result<String> {
    let output = Command::new(CLANG)
        .env("PATH", command::search_path())
        .arg("--version")
        .output()
        .with_context(|| format!("cannot run {CLANG}; `make doctor` says how to get it"))?;
    ensure!(
        output.status.success(),
        "`{CLANG} --version` failed ({}); `make doctor` says how to get it anew",
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}

fn flags(types: &Path, include: &Path, arch: &str) -> Vec<String> {
    let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
    flags.push(format!("-D__TARGET_ARCH_{arch}"));
    // As the system's headers, whose warnings are not ours.
    for dir in [types, include] {
        flags.push("-isystem".to_owned());
        flags.push(dir.display().to_string());
    }
    flags
}

/// What goes into every object.
fn shared_key(
    sources: &[&Path],
    types: &Path,
    include: &Path,
    compiler: &str,
    arch: &str,
) -> Result<Digest> {
    let mut key = Digest::default();
    key.add("compiler", compiler);
    key.add("arch", arch);
    for flag in FLAGS {
        key.add("flag", flag);
    }
    let include = include.join("bpf");
    let dirs = sources.iter().copied().chain([types, include.as_path()]);
    for dir in dirs {
        for header in headers(dir)? {
            let name = header.file_name().unwrap_or_default().to_string_lossy();
            key.add(&name, read(&header)?);
        }
    }
    Ok(key)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn headers(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = dir
        .read_dir()
        .with_context(|| format!("cannot read the headers in {}", dir.display()))?;
    let mut headers: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "h"))
        .collect();
    headers.sort();
    Ok(headers)
}

/// Calls `work` on every item, on up to `jobs` threads, and returns the errors.
fn in_parallel<T: Send>(
    jobs: usize,
    items: Vec<T>,
    work: impl Fn(T) -> Result<()> + Sync,
) -> Vec<anyhow::Error> {
    let jobs = jobs.clamp(1, items.len().max(1));
    let queue = Mutex::new(VecDeque::from(items));
    let errors = Mutex::new(Vec::new());
    let next = || {
        queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(item) = next() {
                    if let Err(error) = work(item) {
                        errors
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(error);
                    }
                }
            });
        }
    });
    errors.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What the compilations of one run share.
struct Job<'a> {
    repo: &'a Path,
    cache: PathBuf,
    shared: Digest,
    flags: Vec<String>,
    into: &'a Path,
}

impl Job<'_> {
    /// Puts the object of `source` into the folder of the run, out of the cache or newly compiled.
    fn object(&self, source: PathBuf) -> Result<()> {
        let name = source
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut key = self.shared.clone();
        key.add(&name, read(&source)?);
        let cached = self.cache.join(format!("{}.bpf.o", key.key()));
        if !cached.exists() {
            self.compile(&source, &name, &cached)?;
        }
        let object = self.into.join(name.replace(".bpf.c", ".bpf.o"));
        fs::copy(&cached, &object)
            .with_context(|| format!("cannot copy {} to {}", cached.display(), object.display()))?;
        Ok(())
    }

    /// Compiles into a file beside `cached` and renames it, so that what is in the cache is whole.
    fn compile(&self, source: &Path, name: &str, cached: &Path) -> Result<()> {
        let object = tempfile::NamedTempFile::new_in(&self.cache)
            .with_context(|| format!("cannot write to the cache {}", self.cache.display()))?;
        let mut command = Command::new(CLANG);
        // In the source's folder and by its bare name: this is the name that a stack dump shows.
        command
            .env("PATH", command::search_path())
            .current_dir(source.parent().unwrap_or(Path::new(".")))
            .args(&self.flags)
            .args(["-c", name, "-o"])
            .arg(object.path());
        let output = command
            .output()
            .with_context(|| format!("cannot run {CLANG}; `make doctor` says how to get it"))?;
        if !output.status.success() {
            bail!(
                "{} does not compile; {CLANG} says:\n{}  fix it there; if what is missing is the \
                 kernel's (a kfunc, a type), the kernel that it was compiled against does not have it: see KERNEL and CONFIG",
                source.strip_prefix(self.repo).unwrap_or(source).display(),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        object
            .persist(cached)
            .with_context(|| format!("cannot write {}", cached.display()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
