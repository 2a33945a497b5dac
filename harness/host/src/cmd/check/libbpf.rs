// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! libbpf builds outside the kernel's tree as in its mirror's README, and programs build with the
//! installed library.
//!
//! The mirror is that of the crate libbpf-sys, which the guest agent links: Makefile and headers. Its
//! sources are replaced by those of the patched tree, as in the mirror's `scripts/sync-kernel.sh`.

mod mirror;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell};

use super::{Checkout, Findings};
use crate::env::cache_key::Digest;
use crate::env::command::{capture, command, last_lines, output, shell_in};
use mirror::Mirror;

const READER: &str = include_str!("libbpf/reader.c");
const PRINTER: &str = include_str!("libbpf/printer.bpf.c");

/// The compiler's error for a print with 13 values.
const TOO_MANY: &str = "bpf_stream_printk() takes at most 12";

/// Builds libbpf and the programs, if libbpf of the tree reads streams.
pub fn check(checkout: &Checkout<'_>, findings: &mut Findings) -> Result<()> {
    let header = checkout.text(super::SERIES, "tools/lib/bpf/bpf.h")?;
    if !header.contains("bpf_prog_stream_read") {
        return Ok(());
    }
    let mirror = Mirror::find(checkout.ctx)?;
    let mut key = Digest::default();
    key.add("libbpf", mirror.version());
    for path in mirror::TAKEN {
        let spec = format!("{}:{path}", super::SERIES);
        key.add(path, checkout.tree.run(["rev-parse", &spec])?);
    }
    key.add("programs", [READER, PRINTER, TOO_MANY].concat());
    checkout
        .once(&key, findings, || build(checkout, &mirror))
        .map(drop)
}

fn build(checkout: &Checkout<'_>, mirror: &Mirror) -> Result<Vec<String>> {
    let stage = checkout
        .ctx
        .progress
        .stage("check", "building libbpf outside");
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let outside = Outside {
        dir: scratch.path().to_owned(),
        make: mirror.fill(checkout, scratch.path())?,
        ccache: checkout.ctx.cache_dir("ccache")?,
        jobs: checkout.ctx.jobs,
    };
    let steps: [(&str, Step); 4] = [
        ("make BUILD_STATIC_ONLY=y install", Outside::install_static),
        ("make install", Outside::install_shared),
        ("a reader of streams", Outside::reader),
        ("a program that prints", Outside::printer),
    ];
    for (name, step) in steps {
        if let Some(fault) = step(&outside)? {
            // the next steps need the installed library
            return Ok(vec![format!("libbpf outside the tree: {name}: {fault}")]);
        }
    }
    stage.done("libbpf builds outside the tree, and programs with it");
    Ok(Vec::new())
}

/// A step; returns the failure.
type Step = fn(&Outside) -> Result<Option<String>>;

/// The mirror with the sources of the patched tree, and its installation.
struct Outside {
    dir: PathBuf,
    /// Variables for its make.
    make: Vec<String>,
    ccache: PathBuf,
    jobs: usize,
}

impl Outside {
    /// The command of the README: builds one kind of library and installs it with its headers.
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

    /// Compiles a program with the flags of pkg-config and runs it, with each kind of library.
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

    /// A print with 12 values compiles; one with 13 fails with an understandable error.
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

    /// The folder of the installed libraries on 64-bit machines.
    fn lib(&self, kind: &str) -> PathBuf {
        let usr = self.root(kind).join("usr");
        let dirs = ["lib64", "lib"].map(|name| usr.join(name));
        let there = dirs.iter().find(|dir| dir.is_dir());
        there.unwrap_or(&dirs[0]).clone()
    }
}

/// Runs `cmd`; returns the command and its output where it failed.
fn failed(cmd: Cmd<'_>) -> Result<Option<String>> {
    let line = cmd.to_string();
    let out = capture(cmd)?;
    Ok((!out.status.success())
        .then(|| format!("`{line}` failed ({}){}", out.status, last_lines(&out))))
}

/// What is wrong with the compiler's reaction to a print with 13 values.
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
    fn an_error_must_be_understandable() {
        let good =
            "a.c:6:9: error: static assertion failed: bpf_stream_printk() takes at most 12 values";
        assert_eq!(refusal_fault(false, good), None);
        let undeclared = "a.c:6:9: error: call to undeclared function '___bpf_fill13'";
        for (compiled, said) in [(true, ""), (false, undeclared), (false, "")] {
            assert!(refusal_fault(compiled, said).is_some(), "{said}");
        }
        // an error after another error does not count
        let late = format!("{undeclared}\n{good}");
        assert!(refusal_fault(false, &late).is_some());
    }
}
