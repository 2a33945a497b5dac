// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! libbpf builds outside the kernel's tree, as its mirror's README says, and programs build with
//! what was installed.
//!
//! The mirror is what comes with the crate libbpf-sys, which the guest agent is linked with: its
//! own Makefile and headers. Its sources are replaced by those of the patched tree, as the mirror's
//! `scripts/sync-kernel.sh` does.

mod mirror;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell};

use super::{Findings, Place};
use crate::env::cache_key::Digest;
use crate::env::command::{capture, command, last_lines, output, shell_in};
use mirror::Mirror;

const READER: &str = include_str!("libbpf/reader.c");
const PRINTER: &str = include_str!("libbpf/printer.bpf.c");

/// What the compiler says of a print with 13 values.
const TOO_MANY: &str = "bpf_stream_printk() takes at most 12";

/// Builds libbpf and the programs, where the tree has a libbpf that reads streams.
pub fn check(place: &Place<'_>, findings: &mut Findings) -> Result<()> {
    let header = place.text(super::SERIES, "tools/lib/bpf/bpf.h")?;
    if !header.contains("bpf_prog_stream_read") {
        return Ok(());
    }
    let mirror = Mirror::find(place.ctx)?;
    let mut key = Digest::default();
    key.add("libbpf", mirror.version());
    for path in mirror::TAKEN {
        let spec = format!("{}:{path}", super::SERIES);
        key.add(path, place.tree.run(["rev-parse", &spec])?);
    }
    key.add("programs", [READER, PRINTER, TOO_MANY].concat());
    place
        .once(&key, findings, || build(place, &mirror))
        .map(drop)
}

fn build(place: &Place<'_>, mirror: &Mirror) -> Result<Vec<String>> {
    let stage = place.ctx.progress.stage("check", "building libbpf outside");
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let outside = Outside {
        dir: scratch.path().to_owned(),
        make: mirror.fill(place, scratch.path())?,
        ccache: place.ctx.cache_dir("ccache")?,
        jobs: place.ctx.jobs,
    };
    let steps: [(&str, Step); 4] = [
        ("make BUILD_STATIC_ONLY=y install", Outside::install_static),
        ("make install", Outside::install_shared),
        ("a reader of streams", Outside::reader),
        ("a program that prints", Outside::printer),
    ];
    for (name, step) in steps {
        if let Some(fault) = step(&outside)? {
            // what follows is built with what was installed
            return Ok(vec![format!("libbpf outside the tree: {name}: {fault}")]);
        }
    }
    stage.done("libbpf builds outside the tree, and programs with it");
    Ok(Vec::new())
}

/// A step; what comes back is what went wrong.
type Step = fn(&Outside) -> Result<Option<String>>;

/// The mirror with the sources of the patched tree, and what is installed of it.
struct Outside {
    dir: PathBuf,
    /// What its make has to be told of these sources.
    make: Vec<String>,
    ccache: PathBuf,
    jobs: usize,
}

impl Outside {
    /// The line of the README: one library, installed with its headers below a folder.
    fn install_static(&self) -> Result<Option<String>> {
        let sh = self.sources()?;
        let cmd = self
            .make(&sh, "static")
            .env("BUILD_STATIC_ONLY", "y")
            .args(["install", "install_uapi_headers"]);
        if let Some(fault) = failed(cmd)? {
            return Ok(Some(fault));
        }
        let shared = self.lib("static").join("libbpf.so");
        Ok(shared
            .exists()
            .then(|| "it builds a shared library, too".to_owned()))
    }

    fn install_shared(&self) -> Result<Option<String>> {
        let sh = self.sources()?;
        failed(
            self.make(&sh, "shared")
                .args(["install", "install_uapi_headers"]),
        )
    }

    /// Compiled with what pkg-config says, and run, with each of the libraries.
    fn reader(&self) -> Result<Option<String>> {
        let sh = shell_in(&self.dir)?;
        sh.write_file("reader.c", READER)
            .context("cannot write reader.c")?;
        for (kind, more) in [("static", &["--static"][..]), ("shared", &[])] {
            let flags = output(
                command(&sh, "pkg-config")
                    .env("PKG_CONFIG_PATH", self.lib(kind).join("pkgconfig"))
                    .env("PKG_CONFIG_SYSROOT_DIR", self.root(kind))
                    .args(["--cflags", "--libs", "libbpf"])
                    .args(more),
            )?;
            let gcc = command(&sh, "gcc").args(["-Wall", "-Werror", "-o", kind, "reader.c"]);
            if let Some(fault) = failed(gcc.args(flags.split_whitespace()))? {
                return Ok(Some(format!("with the {kind} library: {fault}")));
            }
            let program = self.dir.join(kind).display().to_string();
            let run = command(&sh, &program).env("LD_LIBRARY_PATH", self.lib(kind));
            if let Some(fault) = failed(run)? {
                return Ok(Some(format!("with the {kind} library: {fault}")));
            }
        }
        Ok(None)
    }

    /// Compiles with 12 values, and with 13 not, for a reason that can be understood.
    fn printer(&self) -> Result<Option<String>> {
        let sh = shell_in(&self.dir)?;
        sh.write_file("printer.bpf.c", PRINTER)
            .context("cannot write printer.bpf.c")?;
        let system = output(command(&sh, "gcc").arg("-print-multiarch"))?;
        let clang = |more: &str| {
            command(&sh, "clang-19")
                .args(["--target=bpf", "-O2", "-g", "-Wall", "-Werror", "-c"])
                .arg(format!("-DMORE={more}"))
                .arg("-I")
                .arg(self.root("static").join("usr/include"))
                .args(["-idirafter", &format!("/usr/include/{system}")])
                .args(["printer.bpf.c", "-o", "printer.bpf.o"])
        };
        if let Some(fault) = failed(clang(""))? {
            return Ok(Some(format!("with 12 values: {fault}")));
        }
        let out = capture(clang(", 13"))?;
        let said = String::from_utf8_lossy(&out.stderr);
        Ok(refusal_fault(out.status.success(), &said))
    }

    fn sources(&self) -> Result<Shell> {
        shell_in(self.dir.join("src"))
    }

    fn make<'s>(&self, sh: &'s Shell, kind: &str) -> Cmd<'s> {
        command(sh, "make")
            .env("OBJDIR", format!("build-{kind}"))
            .env("DESTDIR", self.root(kind))
            .env("CCACHE_DIR", &self.ccache)
            .arg(format!("-j{}", self.jobs))
            .arg("CC=ccache gcc")
            .args(&self.make)
    }

    fn root(&self, kind: &str) -> PathBuf {
        self.dir.join(format!("root-{kind}"))
    }

    /// Where the Makefile installs libraries to on machines of 64 bits.
    fn lib(&self, kind: &str) -> PathBuf {
        let usr = self.root(kind).join("usr");
        let dirs = ["lib64", "lib"].map(|name| usr.join(name));
        let there = dirs.iter().find(|dir| dir.is_dir());
        there.unwrap_or(&dirs[0]).clone()
    }
}

/// Runs `cmd`; what comes back is the command and what it said, where it failed.
fn failed(cmd: Cmd<'_>) -> Result<Option<String>> {
    let line = cmd.to_string();
    let out = capture(cmd)?;
    Ok((!out.status.success())
        .then(|| format!("`{line}` failed ({}){}", out.status, last_lines(&out))))
}

/// What is wrong with how a compiler took a print with 13 values.
fn refusal_fault(compiled: bool, said: &str) -> Option<String> {
    if compiled {
        return Some("it compiles with 13 values, of which one is dropped".to_owned());
    }
    let first = said.lines().find(|line| line.contains("error: "));
    let first = first.unwrap_or("nothing");
    (!first.contains(TOO_MANY)).then(|| {
        format!(
            "the compiler's first word on 13 values should hold `{TOO_MANY}`; it is\n  | {first}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_to_be_understood() {
        let good =
            "a.c:6:9: error: static assertion failed: bpf_stream_printk() takes at most 12 values";
        assert_eq!(refusal_fault(false, good), None);
        let undeclared = "a.c:6:9: error: call to undeclared function '___bpf_fill13'";
        for (compiled, said) in [(true, ""), (false, undeclared), (false, "")] {
            assert!(refusal_fault(compiled, said).is_some(), "{said}");
        }
        // what comes behind something else is not what is read
        let late = format!("{undeclared}\n{good}");
        assert!(refusal_fault(false, &late).is_some());
    }
}
