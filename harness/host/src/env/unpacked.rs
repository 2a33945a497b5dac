// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Programs whose packages conflict with installed ones: the packages are unpacked into the cache with
//! their dependencies, and the programs run from there.
//!
//! ```text
//! unpacked/<package>/root/   the package and its dependencies
//! unpacked/<package>/stamp   exists when all of the package is unpacked
//! unpacked/bin/<program>     a script that starts the program with its own libraries, or a link to a
//!                            program that needs none
//!
//! unpacked/<package>-<suite>/  the same for a package of another suite of Debian, whose program is
//!                            not on the search path: bin/<program>; the stamp holds its version
//! ```
//!
//! Maintainer scripts are not run, so this works for programs that need no configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;
use xshell::{Cmd, Shell};

use crate::env::atomic;
use crate::env::command::{cmd, command, output, quote, shell_in};
use crate::env::context::Context;
use crate::env::disk;
use crate::env::elf::{self, Linkage};
use crate::env::lock;

/// Space for a package and its dependencies; QEMU's take 250 MB.
const NEEDED_SPACE: u64 = 1 << 30;

/// Folders of programs, in the order of a user's `PATH`.
const BINARIES: [&str; 4] = ["usr/bin", "bin", "usr/sbin", "sbin"];

/// Folders of QEMU's firmware, relative to the root of its package.
const FIRMWARE: [&str; 3] = ["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"];

/// The folder of the programs of unpacked packages.
pub fn programs(cache: &Path) -> PathBuf {
    cache.join("unpacked/bin")
}

/// The file that exists when all of `package` is unpacked.
pub fn stamp(cache: &Path, package: &str) -> PathBuf {
    cache.join("unpacked").join(package).join("stamp")
}

/// Unpacks `package` and its dependencies if the cache does not have them, and adds `program` to
/// [`programs`].
pub fn provide(ctx: &Context, package: &str, program: &str) -> Result<PathBuf> {
    let folder = ctx.cache_dir("unpacked")?;
    let _lock = lock::take(&folder.join("lock"), ctx.progress)?;
    let dir = folder.join(package);
    if !stamp(&ctx.cache, package).exists() {
        unpack(ctx, &dir, package, package, &|sh| command(sh, "apt-get"))?;
    }
    start_from(&dir, package, program, &programs(&ctx.cache))
}

/// A package of a suite of Debian other than the machine's.
#[derive(Debug)]
pub struct OfSuite<'a> {
    /// The suite.
    pub suite: &'a str,
    /// The package.
    pub package: &'a str,
    /// The version of the package in the suite.
    pub version: &'a str,
}

/// Unpacks a package of another suite with its dependencies if the cache does not have that version, and
/// returns `program` of it. `apt_get` uses the lists of the suite.
pub fn of_suite(
    ctx: &Context,
    wanted: &OfSuite<'_>,
    program: &str,
    apt_get: AptGet<'_>,
) -> Result<PathBuf> {
    let folder = ctx.cache_dir("unpacked")?;
    let _lock = lock::take(&folder.join("lock"), ctx.progress)?;
    let name = format!("{}-{}", wanted.package, wanted.suite);
    let dir = folder.join(&name);
    let has = fs::read_to_string(stamp(&ctx.cache, &name));
    if has.is_ok_and(|version| version == wanted.version) {
        return Ok(dir.join("bin").join(program));
    }
    let package = format!("{}={}", wanted.package, wanted.version);
    unpack(ctx, &dir, &package, wanted.version, apt_get)?;
    start_from(&dir, wanted.package, program, &dir.join("bin"))
}

/// Starts the command line of apt-get with the package lists to use.
pub type AptGet<'a> = &'a dyn for<'s> Fn(&'s Shell) -> Cmd<'s>;

/// Adds `program` of `package`, which is unpacked in `dir`, to the folder `bin`.
fn start_from(dir: &Path, package: &str, program: &str, bin: &Path) -> Result<PathBuf> {
    let root = dir.join("root");
    let file = find_program(&root, program).with_context(|| {
        format!(
            "the package {package}, unpacked in {}, has no program {program}",
            root.display()
        )
    })?;
    fs::create_dir_all(bin)?;
    let started = bin.join(program);
    write_starter(&root, &file, program, &started)?;
    Ok(started)
}

/// The names of the programs in [`programs`].
pub fn listing(cache: &Path) -> Vec<String> {
    let entries = programs(cache).read_dir().into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Removes `program` from [`programs`].
pub fn withdraw(cache: &Path, program: &str) -> Result<()> {
    match fs::remove_file(programs(cache).join(program)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Downloads `package` and unpacks it as `dir`, with the text `stamp`.
fn unpack(
    ctx: &Context,
    dir: &Path,
    package: &str,
    stamp: &str,
    apt_get: AptGet<'_>,
) -> Result<()> {
    let folder = &ctx.cache_dir("unpacked")?;
    disk::ensure_free(folder, NEEDED_SPACE, package)?;
    let stage = ctx
        .progress
        .stage("setup", format!("unpacking {package} into the cache"));
    let new = atomic::new_folder(folder)?;
    let root = new.path().join("root");
    for name in ["root", "apt/archives/partial"] {
        let path = new.path().join(name);
        fs::create_dir_all(&path)?;
    }
    let debs = download(new.path(), package, apt_get)?;
    let sh = shell_in(new.path())?;
    for deb in &debs {
        output(cmd!(sh, "dpkg-deb --extract {deb} {root}"))?;
    }
    fs::remove_dir_all(new.path().join("apt"))?;
    fs::write(new.path().join("stamp"), stamp)?;
    atomic::publish(new, dir)?;
    stage.done(format!(
        "unpacked {package} and {} dependencies",
        debs.len() - 1
    ));
    Ok(())
}

/// Downloads `package` and all its dependencies: with an empty dpkg status apt regards none as
/// installed.
fn download(dir: &Path, package: &str, apt_get: AptGet<'_>) -> Result<Vec<PathBuf>> {
    let status = dir.join("apt/status");
    fs::write(&status, "")?;
    let sh = shell_in(dir)?;
    // no other process uses the folder, and apt's own user may not write to it
    let sandbox = ["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"];
    let folders = [
        format!("Dir::State::status={}", status.display()),
        format!("Dir::Cache={}/apt", dir.display()),
    ];
    output(
        apt_get(&sh)
            .args(["--quiet", "--yes", "--no-install-recommends"])
            .args(["--download-only", "install"])
            .args(folders.iter().flat_map(|folder| ["-o", folder]))
            .args(sandbox)
            .arg(package),
    )
    .with_context(|| format!("cannot download {package} with its dependencies"))?;
    let debs: Vec<PathBuf> = fs::read_dir(dir.join("apt/archives"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "deb"))
        .collect();
    ensure!(
        !debs.is_empty(),
        "apt-get downloaded no package for {package}"
    );
    Ok(debs)
}

/// The file of `program` in an unpacked root. Links of packages are relative to that root.
fn find_program(root: &Path, program: &str) -> Option<PathBuf> {
    BINARIES
        .iter()
        .find_map(|folder| resolve(root, &root.join(folder).join(program)))
}

/// Follows links relative to `root`.
fn resolve(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&path) else {
            return path.is_file().then_some(path);
        };
        path = match target.strip_prefix("/") {
            Ok(inside) => root.join(inside),
            Err(_) => path.parent()?.join(target),
        };
    }
    None
}

/// Writes `started`, which starts the program `file`.
fn write_starter(root: &Path, file: &Path, program: &str, started: &Path) -> Result<()> {
    match elf::linkage(file)? {
        Linkage::Dynamic => atomic::write_executable(started, wrapper(root, file, program)?),
        Linkage::Static | Linkage::NotElf => atomic::symlink(file, started),
    }
}

/// A script that starts a program with the loader and the libraries of its own root, and with no
/// library of the machine.
fn wrapper(root: &Path, file: &Path, program: &str) -> Result<String> {
    let libraries = libraries(root);
    let loader = libraries
        .iter()
        .find_map(|dir| loader_in(root, dir))
        .with_context(|| format!("no dynamic loader (ld-linux*) in {}", root.display()))?;
    let path: Vec<String> = libraries
        .iter()
        .map(|dir| dir.display().to_string())
        .collect();
    let mut script =
        String::from("#!/bin/sh\n# Written by set-up; see harness/host/src/env/unpacked.rs.\n");
    // accelerators and other parts of QEMU are modules; /usr/lib/qemu holds programs
    let mut modules = libraries.iter().map(|dir| dir.join("qemu"));
    if let Some(modules) = modules.find(|dir| holds_modules(dir)) {
        script.push_str(&format!(
            "export QEMU_MODULE_DIR={}\n",
            quote(&modules.display().to_string())
        ));
    }
    script.push_str(&format!(
        "exec {} --argv0 {} --library-path {} {}",
        quote(&loader.display().to_string()),
        quote(program),
        quote(&path.join(":")),
        quote(&file.display().to_string())
    ));
    if program.starts_with("qemu-system-") {
        for folder in FIRMWARE {
            script.push_str(&format!(
                " -L {}",
                quote(&root.join(folder).display().to_string())
            ));
        }
    }
    script.push_str(" \"$@\"\n");
    Ok(script)
}

/// The folders of libraries in `root`: those of an architecture, then `usr/lib` and `lib`.
fn libraries(root: &Path) -> Vec<PathBuf> {
    let tops = [root.join("usr/lib"), root.join("lib")];
    let of_architecture = tops.iter().flat_map(|top| {
        let entries = top.read_dir().into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().ends_with("-linux-gnu") && path.is_dir())
            .collect::<Vec<_>>()
    });
    let mut all: Vec<PathBuf> = of_architecture.collect();
    all.extend(tops.iter().filter(|top| top.is_dir()).cloned());
    all
}

fn holds_modules(dir: &Path) -> bool {
    let mut entries = dir.read_dir().into_iter().flatten().flatten();
    entries.any(|entry| entry.path().extension().is_some_and(|end| end == "so"))
}

fn loader_in(root: &Path, dir: &Path) -> Option<PathBuf> {
    let entries = dir.read_dir().ok()?;
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("ld-linux"))
        .find_map(|entry| resolve(root, &entry.path()))
}

#[cfg(test)]
mod tests {
    use fs_err::os::unix::fs::symlink;

    use super::*;

    /// A root with a loader, a folder of libraries and QEMU's modules.
    fn root() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let lib = dir.path().join("usr/lib/x86_64-linux-gnu");
        fs::create_dir_all(lib.join("qemu")).unwrap();
        fs::write(lib.join("qemu/accel-tcg-x86_64.so"), "").unwrap();
        // QEMU's helper programs, no modules
        fs::create_dir_all(dir.path().join("usr/lib/qemu")).unwrap();
        fs::write(lib.join("ld-linux-x86-64.so.2"), "").unwrap();
        fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
        dir
    }

    #[test]
    fn a_program_is_started_with_its_own_loader_libraries_and_firmware() {
        let dir = root();
        let file = dir.path().join("usr/bin/qemu-system-x86_64");
        let script = wrapper(dir.path(), &file, "qemu-system-x86_64").unwrap();
        let root = dir.path().display().to_string();
        for part in [
            format!("exec '{root}/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'"),
            format!("--library-path '{root}/usr/lib/x86_64-linux-gnu:{root}/usr/lib'"),
            format!("-L '{root}/usr/share/seabios'"),
            format!("QEMU_MODULE_DIR='{root}/usr/lib/x86_64-linux-gnu/qemu'"),
            "\"$@\"\n".to_owned(),
        ] {
            assert!(script.contains(&part), "{part} is not in\n{script}");
        }
        assert_eq!(script.matches("QEMU_MODULE_DIR").count(), 1, "{script}");
        let other = wrapper(dir.path(), &file, "pahole").unwrap();
        assert!(!other.contains("-L "), "{other}");
    }

    #[test]
    fn links_are_followed_inside_the_root() {
        let dir = root();
        fs::create_dir_all(dir.path().join("etc/alternatives")).unwrap();
        let bin = dir.path().join("usr/bin");
        fs::write(bin.join("node-20"), "").unwrap();
        symlink("../bin/node-20", bin.join("nodejs")).unwrap();
        symlink("/usr/bin/nodejs", dir.path().join("etc/alternatives/node")).unwrap();
        symlink("/etc/alternatives/node", bin.join("node")).unwrap();
        symlink("/usr/bin/self", bin.join("self")).unwrap();
        let found = find_program(dir.path(), "node").unwrap();
        assert_eq!(
            fs::canonicalize(found).unwrap(),
            fs::canonicalize(bin.join("node-20")).unwrap()
        );
        assert_eq!(find_program(dir.path(), "self"), None);
        assert_eq!(find_program(dir.path(), "missing"), None);
    }

    #[test]
    fn a_script_is_linked_and_withdrawn() {
        let dir = root();
        let file = dir.path().join("usr/bin/tool");
        fs::write(&file, "#!/bin/sh\n").unwrap();
        let bin = programs(dir.path());
        fs::create_dir_all(&bin).unwrap();
        let started = bin.join("tool");
        write_starter(dir.path(), &file, "tool", &started).unwrap();
        assert_eq!(fs::read_link(&started).unwrap(), file);
        withdraw(dir.path(), "tool").unwrap();
        withdraw(dir.path(), "tool").unwrap();
        assert!(!started.exists());
    }
}
