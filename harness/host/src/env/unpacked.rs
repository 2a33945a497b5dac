// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Programs whose packages cannot be installed next to what the machine has: they are unpacked into the
//! cache with everything that they depend on, and run from there.
//!
//! ```text
//! unpacked/<package>/root/   the package and its dependencies, as if installed there
//! unpacked/<package>/stamp   written last
//! unpacked/bin/<program>     what is run: a script that starts the program with its own libraries,
//!                            or a link where the program needs none
//! ```
//!
//! Nothing of an unpacked package is configured, so this is for programs that run without that.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::env::command::{command, output, shell_in};
use crate::env::context::Context;
use crate::env::disk;
use crate::env::elf::{self, Linkage};
use crate::env::lock;

/// What packages take while they are unpacked; QEMU with its dependencies takes 250 MB.
const NEEDS: u64 = 1 << 30;

/// Folders of programs, in the order in which a user's `PATH` has them.
const BINARIES: [&str; 4] = ["usr/bin", "bin", "usr/sbin", "sbin"];

/// Where QEMU finds firmware, relative to the root of its package.
const FIRMWARE: [&str; 3] = ["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"];

/// The folder of the programs of unpacked packages.
pub fn programs(cache: &Path) -> PathBuf {
    cache.join("unpacked/bin")
}

/// The file that is there when all of `package` was unpacked.
pub fn stamp(cache: &Path, package: &str) -> PathBuf {
    cache.join("unpacked").join(package).join("stamp")
}

/// Unpacks `package` and what it depends on, where that was not done yet, and makes `program` of it
/// run as if it were installed.
pub fn provide(ctx: &Context, package: &str, program: &str) -> Result<PathBuf> {
    let folder = ctx.cache_dir("unpacked")?;
    let _lock = lock::take(&folder.join("lock"), ctx.progress)?;
    let dir = folder.join(package);
    if !stamp(&ctx.cache, package).exists() {
        unpack(ctx, &folder, &dir, package)?;
    }
    let root = dir.join("root");
    let file = find_program(&root, program).with_context(|| {
        format!(
            "the package {package}, unpacked in {}, has no program {program}",
            root.display()
        )
    })?;
    let bin = programs(&ctx.cache);
    fs::create_dir_all(&bin).with_context(|| format!("cannot create {}", bin.display()))?;
    let place = bin.join(program);
    expose(&root, &file, program, &place)?;
    Ok(place)
}

/// The names of the programs that run out of unpacked packages.
pub fn listing(cache: &Path) -> Vec<String> {
    let entries = programs(cache).read_dir().into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Removes `program` from those that run out of an unpacked package, where it is one.
pub fn withdraw(cache: &Path, program: &str) -> Result<()> {
    let place = programs(cache).join(program);
    match fs::remove_file(&place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", place.display()))
        }
        _ => Ok(()),
    }
}

/// Downloads and unpacks; `dir` appears when all of it is there.
fn unpack(ctx: &Context, folder: &Path, dir: &Path, package: &str) -> Result<()> {
    disk::ensure_free(folder, NEEDS, package)?;
    let stage = ctx
        .progress
        .stage("setup", format!("unpacking {package} into the cache"));
    let new = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(folder)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    let root = new.path().join("root");
    for name in ["root", "apt/archives/partial"] {
        let path = new.path().join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
    }
    let debs = download(new.path(), package)?;
    let sh = shell_in(new.path())?;
    for deb in &debs {
        output(
            command(&sh, "dpkg-deb")
                .arg("--extract")
                .arg(deb)
                .arg(&root),
        )?;
    }
    fs::remove_dir_all(new.path().join("apt"))
        .with_context(|| format!("cannot remove {}/apt", new.path().display()))?;
    let stamp = new.path().join("stamp");
    fs::write(&stamp, package).with_context(|| format!("cannot write {}", stamp.display()))?;
    if dir.exists() {
        // an interrupted run left it
        fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    fs::rename(new.keep(), dir).with_context(|| format!("cannot write {}", dir.display()))?;
    stage.done(format!(
        "unpacked {package} and {} dependencies",
        debs.len() - 1
    ));
    Ok(())
}

/// Downloads `package` and all its dependencies: apt is given an empty dpkg status.
fn download(dir: &Path, package: &str) -> Result<Vec<PathBuf>> {
    let status = dir.join("apt/status");
    fs::write(&status, "").with_context(|| format!("cannot write {}", status.display()))?;
    let sh = shell_in(dir)?;
    output(
        command(&sh, "apt-get")
            .args(["--quiet", "--yes", "--no-install-recommends"])
            .args(["--download-only", "install"])
            .args(["-o", &format!("Dir::State::status={}", status.display())])
            .args(["-o", &format!("Dir::Cache={}/apt", dir.display())])
            // the folder is ours alone, and apt's own user may not write to it
            .args(["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root"])
            .arg(package),
    )
    .with_context(|| format!("cannot download {package} with its dependencies"))?;
    let archives = dir.join("apt/archives");
    let entries = archives
        .read_dir()
        .with_context(|| format!("cannot read {}", archives.display()))?;
    let debs: Vec<PathBuf> = entries
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

/// The file of `program` in an unpacked root, with links followed inside it: those of packages are
/// meant for a machine whose root this is.
fn find_program(root: &Path, program: &str) -> Option<PathBuf> {
    BINARIES
        .iter()
        .find_map(|folder| resolve(root, &root.join(folder).join(program)))
}

/// Follows links that lie in `root`.
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

/// Writes what is run as `place`.
fn expose(root: &Path, file: &Path, program: &str, place: &Path) -> Result<()> {
    let new = place.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&new);
    let written = match elf::linkage(file)? {
        Linkage::Dynamic => {
            let script = wrapper(root, file, program)?;
            fs::write(&new, script)
                .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(0o755)))
        }
        Linkage::Static | Linkage::NotElf => symlink(file, &new),
    };
    written
        .and_then(|()| fs::rename(&new, place))
        .with_context(|| format!("cannot write {}", place.display()))
}

/// A script that starts a program with the loader and the libraries of its own root, so that no
/// library of the machine is mixed with them.
fn wrapper(root: &Path, file: &Path, program: &str) -> Result<String> {
    let libraries = libraries(root);
    let loader = libraries
        .iter()
        .find_map(|dir| loader_in(root, dir))
        .with_context(|| format!("there is no dynamic loader in {}", root.display()))?;
    let path: Vec<String> = libraries
        .iter()
        .map(|dir| dir.display().to_string())
        .collect();
    let mut script =
        String::from("#!/bin/sh\n# Written by set-up; see harness/host/src/unpacked.rs.\n");
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

/// The folders of libraries in `root`: those named after an architecture, and those that hold them.
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

/// A word for the shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with a loader, a library folder and QEMU's modules.
    fn root() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let lib = dir.path().join("usr/lib/x86_64-linux-gnu");
        fs::create_dir_all(lib.join("qemu")).unwrap();
        fs::write(lib.join("qemu/accel-tcg-x86_64.so"), "").unwrap();
        // programs of QEMU, and no modules
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
    fn a_script_and_a_static_program_are_linked_and_withdrawn() {
        let dir = root();
        let file = dir.path().join("usr/bin/tool");
        fs::write(&file, "#!/bin/sh\n").unwrap();
        let bin = programs(dir.path());
        fs::create_dir_all(&bin).unwrap();
        let place = bin.join("tool");
        expose(dir.path(), &file, "tool", &place).unwrap();
        assert_eq!(fs::read_link(&place).unwrap(), file);
        withdraw(dir.path(), "tool").unwrap();
        withdraw(dir.path(), "tool").unwrap();
        assert!(!place.exists());
    }
}
