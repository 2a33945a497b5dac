// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Compiles the selftests, `selftests/*.bpf.c`, against the types of the kernel that runs them.
//!
//! The cache key of an object is a hash of all its inputs: its source, the shared header, the kernel's
//! types, libbpf's headers, the flags and the compiler.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;

use crate::build::bpftool::Bpftool;
use crate::env::atomic;
use crate::env::cache_key::Digest;
use crate::env::command::{capture, cmd, output, shell_in};
use crate::env::context::Context;

pub(crate) mod in_tree;
mod prune;
mod vmlinux_h;

/// The compiler; older versions do not support BPF arenas.
pub const CLANG: &str = "clang-19";

/// Flags for every selftest. Without the paths for debuggers, so that objects are equal in every clone.
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

/// Number of objects in the cache.
const KEPT: usize = 800;

/// The compiled selftests.
#[derive(Clone, Debug)]
pub struct Objects {
    /// The folder with a `*.bpf.o` for each source, and no other file.
    pub dir: PathBuf,
    /// First line of the compiler's `--version`.
    pub compiler: String,
}

/// Compiles the sources in `programs`, a folder of the clone, against the types of `vmlinux` and libbpf's
/// headers, into the folder `into`.
///
/// # Errors
///
/// If the compiler is missing, there is no source, or a source does not compile; with the errors of the
/// compiler for every source.
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
    let job = ObjectJob {
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
    fs::create_dir_all(into)?;
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

/// The sources, sorted by name.
fn sources(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".bpf.c") {
            found.push(path);
        }
    }
    found.sort();
    ensure!(
        !found.is_empty(),
        "no *.bpf.c in {}; a run needs at least one test",
        dir.display()
    );
    Ok(found)
}

fn compiler_version() -> Result<String> {
    let sh = shell_in("/")?;
    let version = output(cmd!(sh, "{CLANG} --version")).context("see `make doctor`")?;
    Ok(version.lines().next().unwrap_or_default().to_owned())
}

fn flags(types: &Path, include: &Path, arch: &str) -> Vec<String> {
    let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
    flags.push(format!("-D__TARGET_ARCH_{arch}"));
    // as system headers, so that the compiler prints no warnings about them
    for dir in [types, include] {
        flags.push("-isystem".to_owned());
        flags.push(dir.display().to_string());
    }
    flags
}

/// The key of the inputs that all objects have in common.
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
            key.add(&name, fs::read(&header)?);
        }
    }
    Ok(key)
}

fn headers(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut headers: Vec<PathBuf> = fs::read_dir(dir)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "h"))
        .collect();
    headers.sort();
    Ok(headers)
}

/// Calls `work` for every item, on up to `jobs` threads, and returns the errors.
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
struct ObjectJob<'a> {
    repo: &'a Path,
    cache: PathBuf,
    shared: Digest,
    flags: Vec<String>,
    into: &'a Path,
}

impl ObjectJob<'_> {
    /// Copies the object of `source` from the cache into the folder of the run; compiles it if the cache
    /// does not have it.
    fn object(&self, source: PathBuf) -> Result<()> {
        let name = source
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut key = self.shared.clone();
        key.add(&name, fs::read(&source)?);
        let cached = self.cache.join(format!("{}.bpf.o", key.key()));
        if !cached.exists() {
            self.compile(&source, &name, &cached)?;
        }
        let object = self.into.join(name.replace(".bpf.c", ".bpf.o"));
        fs::copy(&cached, &object)?;
        Ok(())
    }

    /// Compiles `source` as the cache entry `cached`.
    fn compile(&self, source: &Path, name: &str, cached: &Path) -> Result<()> {
        // in the folder of the source and with its bare name, which stack dumps show
        let sh = shell_in(source.parent().unwrap_or(Path::new(".")))?;
        let flags = &self.flags;
        atomic::replace(cached, |object| {
            let out = capture(cmd!(sh, "{CLANG} {flags...} -c {name} -o {object}"))
                .context("see `make doctor`")?;
            ensure!(
                out.status.success(),
                "{} does not compile; {CLANG} prints:\n{}  if a kfunc or a type is missing, the \
                 kernel that the selftests are compiled against does not have it: see KERNEL and \
                 CONFIG",
                source.strip_prefix(self.repo).unwrap_or(source).display(),
                String::from_utf8_lossy(&out.stderr)
            );
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
