// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! libbpf's mirror with the sources of the patched tree.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;
use serde::Deserialize;

use super::super::{Checkout, SERIES};
use crate::env::command::{command, output, shell_in};
use crate::env::context::Context;

/// The crate that contains the mirror.
const CRATE: &str = "libbpf-sys";

/// The folder of libbpf in a kernel's tree.
const LIBBPF: &str = "tools/lib/bpf";

/// The files that are taken from the kernel's tree.
pub const TAKEN: [&str; 3] = [LIBBPF, "include/uapi/linux", "scripts/bpf_doc.py"];

/// Files of the kernel's libbpf that the mirror lacks.
const KERNELS_OWN: [&str; 3] = ["Makefile", "Build", ".gitignore"];

/// libbpf's mirror.
pub struct Mirror {
    dir: PathBuf,
    version: String,
}

/// The used part of `cargo metadata`.
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

    /// The version of the mirror.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Fills `dir` with the mirror and the sources of the series. Returns the variables for its
    /// Makefile.
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

/// Replaces the mirror's sources, except its Makefile, by those of the kernel.
fn replace_sources(from: &Path, to: &Path) -> Result<()> {
    for path in files(to)? {
        if !path.ends_with("Makefile") {
            fs::remove_file(&path)?;
        }
    }
    for path in files(from)? {
        if KERNELS_OWN.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        let name = path.file_name().unwrap_or_default();
        fs::copy(&path, to.join(name))?;
    }
    Ok(())
}

/// Replaces the mirror's headers by those of the kernel, in the form for user space.
fn replace_headers(from: &Path, to: &Path) -> Result<()> {
    for path in files(to)? {
        let text = read(&from.join(path.file_name().unwrap_or_default()))?;
        write(&path, &for_user_space(&text))?;
    }
    Ok(())
}

/// A header without the parts for the kernel's own build.
fn for_user_space(header: &str) -> String {
    header
        .replace("_UAPI__LINUX", "__LINUX")
        .replace("_UAPI_LINUX", "_LINUX")
        .replace("#include <linux/compiler_types.h>", "")
}

/// The variables that differ from the mirror's Makefile, which belongs to another version.
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
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<String> {
    Ok(fs::read_to_string(path)?)
}

fn write(path: &Path, text: &str) -> Result<()> {
    Ok(fs::write(path, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_makefile_gets_version_and_objects() {
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
    fn headers_are_converted_for_user_space() {
        assert_eq!(
            for_user_space("#ifndef _UAPI__LINUX_BPF_H__\n#ifndef _UAPI_LINUX_FCNTL_H\n"),
            "#ifndef __LINUX_BPF_H__\n#ifndef _LINUX_FCNTL_H\n"
        );
    }
}
