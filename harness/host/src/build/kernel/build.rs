// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the kernel's make: out of tree, through ccache, with nothing of today in the result.
//!
//! The build folder is a direct subfolder of the tree. Then kbuild calls the sources `../…`, and
//! the compiler sees the same command lines in every clone: what one has compiled, another takes
//! out of ccache. Its name begins with a dot, which the kernel's .gitignore leaves alone.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use xshell::{Cmd, Shell};

use super::{Kernel, external};
use crate::build::kconfig::{self, Requests};
use crate::env::arch::Arch;
use crate::env::command::{command, shell_in};
use crate::env::context::Context;
use crate::env::disk;
use crate::env::progress::Stage;

/// What goes into the kernel instead of who built it, where and when.
const NOTHING_OF_TODAY: &[(&str, &str)] = &[
    ("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 1970"),
    ("KBUILD_BUILD_USER", "bpf-streams"),
    ("KBUILD_BUILD_HOST", "bpf-streams"),
    ("KBUILD_BUILD_VERSION", "1"),
    // set but empty: nothing is added to the release for the state of the git tree
    ("LOCALVERSION", ""),
    // the build folder's path is no part of what is compiled
    ("CCACHE_NOHASHDIR", "1"),
    ("CCACHE_MAXSIZE", "5G"),
];

/// What a build folder takes.
const BUILD_NEEDS: u64 = 2 << 30;

/// How many lines of errors are shown; the log has them all.
const SHOWN_ERRORS: usize = 12;

/// A build folder of a tree.
#[derive(Debug)]
pub struct Build<'a> {
    ctx: &'a Context,
    tree: PathBuf,
    out: PathBuf,
    log: PathBuf,
    warnings: bool,
}

impl<'a> Build<'a> {
    /// The build folder of `tree` for the architecture and configuration of `ctx`.
    pub fn new(ctx: &'a Context, tree: &Path) -> Build<'a> {
        Build::named(ctx, tree, &format!("{}-{}", ctx.arch, ctx.config))
    }

    /// Another build folder of `tree`.
    pub fn named(ctx: &'a Context, tree: &Path, name: &str) -> Build<'a> {
        let out = tree.join(format!(".build-{name}"));
        Build {
            ctx,
            tree: tree.to_owned(),
            log: out.join("bpf-streams.log"),
            out,
            warnings: false,
        }
    }

    /// The same with `W=1`.
    pub fn with_warnings(mut self) -> Build<'a> {
        self.warnings = true;
        self
    }

    /// The folder.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Where all that make said is kept.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Builds the kernel that `requests` ask for.
    pub fn kernel(&self, requests: &Requests, what: &str) -> Result<Kernel> {
        let fresh = !self.out.join("vmlinux").exists();
        let stage = self
            .ctx
            .progress
            .stage("kernel", format!("building {what}"));
        self.configure(requests)?;
        let image = self.ctx.arch.names().image;
        let target = image.rsplit('/').next().unwrap_or(image);
        let steps = self.make(&[target], &stage)?;
        if fresh {
            self.remember_steps(steps);
        }
        stage.done(format!("built {what}, {steps} steps"));
        external::from_build_folder(&self.out, self.ctx.arch)
    }

    /// Removes what was built, so that it is begun anew.
    pub fn remove(&self) -> Result<()> {
        if self.out.exists() {
            fs::remove_dir_all(&self.out)
                .with_context(|| format!("cannot remove {}", self.out.display()))?;
        }
        Ok(())
    }

    /// Resolves `requests`, and fails where one was not granted.
    pub fn configure(&self, requests: &Requests) -> Result<()> {
        requests.ensure_granted(&self.resolve(requests)?)
    }

    /// Resolves `requests` as far as they can be granted, and returns the configuration.
    pub fn resolve(&self, requests: &Requests) -> Result<String> {
        if !self.out.exists() {
            disk::ensure_free(&self.tree, BUILD_NEEDS, "the kernel's build")?;
        }
        fs::create_dir_all(&self.out)
            .with_context(|| format!("cannot create {}", self.out.display()))?;
        let asked = self.out.join("requests.config");
        fs::write(&asked, requests.text())
            .with_context(|| format!("cannot write {}", asked.display()))?;
        let sh = shell_in(&self.tree)?;
        let cmd = self.command(&sh)?.arg("allnoconfig");
        self.run(cmd.env("KCONFIG_ALLCONFIG", &asked), |_| ())?;
        let config = self.out.join(".config");
        fs::read_to_string(&config).with_context(|| format!("cannot read {}", config.display()))
    }

    /// Makes `targets` and returns how many steps that took.
    pub fn make(&self, targets: &[&str], stage: &Stage) -> Result<usize> {
        let sh = shell_in(&self.tree)?;
        let jobs = format!("-j{}", self.ctx.jobs);
        let cmd = self.command(&sh)?.arg(jobs).args(targets);
        let known = self.known_steps();
        let mut steps = 0;
        self.run(cmd, |line| {
            // kbuild's lines: two blanks, a short word in capitals, a file
            let Some(step) = line.strip_prefix("  ").map(str::trim) else {
                return;
            };
            steps += 1;
            stage.update(match known {
                Some(known) if known >= steps => format!("{steps} of about {known}: {step}"),
                _ => format!("{steps}: {step}"),
            });
        })?;
        Ok(steps)
    }

    /// The kernel's make, without a target.
    fn command<'s>(&self, sh: &'s Shell) -> Result<Cmd<'s>> {
        let names = self.ctx.arch.names();
        let cross = match Arch::of_this_machine() {
            Ok(own) if own == self.ctx.arch => "",
            _ => names.cross,
        };
        let cmd = NOTHING_OF_TODAY
            .iter()
            .fold(command(sh, "make"), |cmd, (name, value)| {
                cmd.env(name, value)
            });
        Ok(cmd
            .env("CCACHE_DIR", self.ctx.cache_dir("ccache")?)
            .arg(format!("O={}", self.out.display()))
            .arg(format!("ARCH={}", names.kernel))
            .arg(format!("CROSS_COMPILE={cross}"))
            .arg(format!("CC=ccache {cross}gcc"))
            .arg("HOSTCC=ccache gcc")
            .args(kconfig::make_variables(self.ctx)?)
            .args(self.warnings.then_some("W=1")))
    }

    /// Runs make, writes what it says to the log and hands its lines on.
    fn run(&self, cmd: Cmd<'_>, mut line_seen: impl FnMut(&str)) -> Result<()> {
        let line = cmd.to_string();
        let mut log = File::create(&self.log)
            .with_context(|| format!("cannot write {}", self.log.display()))?;
        writeln!(log, "{line}")?;
        // both ends append, so that errors stand in the log where they happened
        let errors = OpenOptions::new().append(true).open(&self.log)?;
        let mut log = errors.try_clone()?;
        let mut child = Command::from(cmd)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .context("cannot run make; `make doctor` says how to get it")?;
        if let Some(stdout) = child.stdout.take() {
            for text in BufReader::new(stdout).split(b'\n') {
                let text = text.context("cannot read what make says")?;
                line_seen(&String::from_utf8_lossy(&text));
                log.write_all(&text)?;
                log.write_all(b"\n")?;
            }
        }
        let status = child.wait().context("cannot wait for make")?;
        if !status.success() {
            bail!(
                "the kernel does not compile ({status}):{}\n  all of it: {}\n  again by hand: {line}",
                self.errors(),
                self.log.display()
            );
        }
        Ok(())
    }

    /// The first errors in the log.
    fn errors(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        first_errors(&String::from_utf8_lossy(&text))
    }

    fn steps_file(&self) -> PathBuf {
        let name = format!("steps-{}-{}", self.ctx.arch, self.ctx.config);
        self.ctx.cache.join("kernels").join(name)
    }

    /// How many steps the last whole build took; none for a build that goes on from another.
    fn known_steps(&self) -> Option<usize> {
        let fresh = !self.out.join("vmlinux").exists();
        let text = fs::read_to_string(self.steps_file()).ok()?;
        text.trim().parse().ok().filter(|_| fresh)
    }

    /// For the next time's progress; nothing depends on it, so a failure is no error.
    fn remember_steps(&self, steps: usize) {
        let _ = fs::write(self.steps_file(), steps.to_string());
    }
}

/// The first lines of a build's log that say what is wrong; its end, where none does.
fn first_errors(log: &str) -> String {
    let is_error = |line: &&str| {
        [
            " error: ",
            "undefined reference",
            "Error ",
            "No rule to make",
            "fatal error",
        ]
        .iter()
        .any(|mark| line.contains(mark))
    };
    let mut lines: Vec<&str> = log.lines().filter(is_error).take(SHOWN_ERRORS).collect();
    if lines.is_empty() {
        let all: Vec<&str> = log.lines().collect();
        lines = all[all.len().saturating_sub(SHOWN_ERRORS)..].to_vec();
    }
    lines.iter().map(|line| format!("\n  | {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_errors_are_shown_without_the_noise() {
        let log = "make -j2\n  CC      a.o\n../a.c:3:1: error: expected `;'\nmake[2]: *** [a.o] Error 1\n";
        assert_eq!(
            first_errors(log),
            "\n  | ../a.c:3:1: error: expected `;'\n  | make[2]: *** [a.o] Error 1"
        );
        assert_eq!(first_errors("Killed\n"), "\n  | Killed");
    }
}
