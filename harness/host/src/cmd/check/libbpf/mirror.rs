// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! libbpf's mirror, with the sources of another tree.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::super::{Checkout, SERIES};
use crate::env::command::{command, output, shell_in};
use crate::env::context::Context;

/// The crate that the mirror comes with.
const CRATE: &str = "libbpf-sys";

/// Where a kernel's tree has libbpf.
const LIBBPF: &str = "tools/lib/bpf";

/// What is taken from the kernel's tree.
pub const TAKEN: [&str; 3] = [LIBBPF, "include/uapi/linux", "scripts/bpf_doc.py"];

/// Files of the kernel's libbpf that the mirror has not.
const KERNELS_OWN: [&str; 3] = ["Makefile", "Build", ".gitignore"];

/// libbpf's mirror.
pub struct Mirror {
    dir: PathBuf,
    version: String,
}

/// What is read of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<CargoPackage>,
}

#[derive(Deserialize)]
struct CargoPackage {
    name: String,
    version: String,
    manifest_path: PathBuf,
}

impl Mirror {
    /// The mirror among the crates of this workspace.
    pub fn find(ctx: &Context) -> Result<Mirror> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let sh = shell_in(ctx.repo.join("harness"))?;
        let said =
            output(command(&sh, &cargo).args(["metadata", "--locked", "--format-version=1"]))?;
        let metadata: Metadata =
            serde_json::from_str(&said).context("cannot parse the output of `cargo metadata`")?;
        let package = metadata
            .packages
            .into_iter()
            .find(|package| package.name == CRATE)
            .with_context(|| format!("the workspace has no crate {CRATE}, which has the mirror"))?;
        let dir = package.manifest_path.with_file_name("libbpf");
        ensure!(
            dir.join("src/Makefile").is_file(),
            "{CRATE} {} has no mirror of libbpf at {}",
            package.version,
            dir.display()
        );
        Ok(Mirror {
            dir,
            version: package.version,
        })
    }

    /// Which mirror it is.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Fills `dir` with the mirror, its sources being those of the series. What comes back is what
    /// its Makefile has to be told of them.
    pub fn fill(&self, checkout: &Checkout<'_>, dir: &Path) -> Result<Vec<String>> {
        let sh = shell_in(dir)?;
        for name in ["src", "include"] {
            output(
                command(&sh, "cp")
                    .arg("--recursive")
                    .arg(self.dir.join(name))
                    .arg("."),
            )?;
        }
        let tree = dir.join("kernel");
        checkout.unpack(SERIES, &TAKEN, &tree)?;
        replace_sources(&tree.join(LIBBPF), &dir.join("src"))?;
        replace_headers(
            &tree.join("include/uapi/linux"),
            &dir.join("include/uapi/linux"),
        )?;
        let defs = output(
            command(&sh, "python3")
                .args(["kernel/scripts/bpf_doc.py", "--header"])
                .args(["--file", "kernel/include/uapi/linux/bpf.h"]),
        )?;
        write(&dir.join("src/bpf_helper_defs.h"), &format!("{defs}\n"))?;
        let version = read(&tree.join(LIBBPF).join("libbpf_version.h"))?;
        let build = read(&tree.join(LIBBPF).join("Build"))?;
        variables(&version, &build)
    }
}

/// Every file of the mirror's sources but its Makefile becomes the kernel's.
fn replace_sources(from: &Path, to: &Path) -> Result<()> {
    for path in files(to)? {
        if !path.ends_with("Makefile") {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    for path in files(from)? {
        if KERNELS_OWN.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        let name = path.file_name().unwrap_or_default();
        fs::copy(&path, to.join(name))
            .with_context(|| format!("cannot copy {} to {}", path.display(), to.display()))?;
    }
    Ok(())
}

/// The kernel's headers that the mirror has, as they are installed for user space.
fn replace_headers(from: &Path, to: &Path) -> Result<()> {
    for path in files(to)? {
        let text = read(&from.join(path.file_name().unwrap_or_default()))?;
        write(&path, &for_user_space(&text))?;
    }
    Ok(())
}

/// A header without what only the kernel's own build needs.
fn for_user_space(header: &str) -> String {
    header
        .replace("_UAPI__LINUX", "__LINUX")
        .replace("_UAPI_LINUX", "_LINUX")
        .replace("#include <linux/compiler_types.h>", "")
}

/// What the mirror's Makefile, which belongs to another version, says otherwise: the version, and
/// the objects.
fn variables(version: &str, build: &str) -> Result<Vec<String>> {
    let number = |part: &str| {
        let begins = format!("#define LIBBPF_{part}_VERSION ");
        let value = version.lines().find_map(|line| line.strip_prefix(&begins));
        value
            .map(|value| format!("LIBBPF_{part}_VERSION={}", value.trim()))
            .with_context(|| format!("libbpf_version.h has no LIBBPF_{part}_VERSION"))
    };
    let objects = build
        .replace("\\\n", " ")
        .lines()
        .find_map(|line| line.strip_prefix("libbpf-y := "))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .with_context(|| format!("{LIBBPF}/Build lists no objects"))?;
    Ok(vec![
        number("MAJOR")?,
        number("MINOR")?,
        format!("OBJS={objects}"),
    ])
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let what = || format!("cannot read {}", dir.display());
    let mut files = Vec::new();
    for entry in dir.read_dir().with_context(what)? {
        let path = entry.with_context(what)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_makefile_is_told_version_and_objects() {
        let version = "#define LIBBPF_MAJOR_VERSION 1\n#define LIBBPF_MINOR_VERSION 6\n";
        let build = "libbpf-y := libbpf.o bpf.o \\\n\t    zip.o\n";
        assert_eq!(
            variables(version, build).unwrap(),
            [
                "LIBBPF_MAJOR_VERSION=1",
                "LIBBPF_MINOR_VERSION=6",
                "OBJS=libbpf.o bpf.o zip.o"
            ]
        );
        assert!(variables("", build).is_err());
        assert!(variables(version, "").is_err());
    }

    #[test]
    fn headers_become_those_of_user_space() {
        assert_eq!(
            for_user_space("#ifndef _UAPI__LINUX_BPF_H__\n#ifndef _UAPI_LINUX_FCNTL_H\n"),
            "#ifndef __LINUX_BPF_H__\n#ifndef _LINUX_FCNTL_H\n"
        );
    }
}
