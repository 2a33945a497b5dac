// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the kernel's make: out of tree, with ccache, reproducibly.
//!
//! The build folder is a direct subfolder of the tree, so that kbuild passes `../…` to the compiler: the
//! command lines are equal in every clone, which can share ccache. The name of the folder begins with a
//! dot, which the kernel's .gitignore ignores.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use xshell::{Cmd, Shell};

use super::{Kernel, external};
use crate::build::kconfig::{self, Requests};
use crate::env::command::{cmd, shell_in};
use crate::env::context::Context;
use crate::env::disk;
use crate::env::progress::ProgressStage;

/// Variables that remove user, host and time of the build from the kernel.
const REPRODUCIBLE: &[(&str, &str)] = &[
    ("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 1970"),
    ("KBUILD_BUILD_USER", "bpf-streams"),
    ("KBUILD_BUILD_HOST", "bpf-streams"),
    ("KBUILD_BUILD_VERSION", "1"),
    // set but empty: the state of the git tree is not appended to the release
    ("LOCALVERSION", ""),
    // the path of the build folder does not affect the objects
    ("CCACHE_NOHASHDIR", "1"),
    ("CCACHE_MAXSIZE", "5G"),
];

/// Space for a build folder.
const BUILD_SPACE: u64 = 2 << 30;

/// Number of lines with errors in an error message; the log has all of them.
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

    /// The build folder `.build-<name>` of `tree`.
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

    /// Builds with `W=1`.
    pub fn with_warnings(mut self) -> Build<'a> {
        self.warnings = true;
        self
    }

    /// The build folder.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// The log with the output of make.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Builds the kernel with the configuration `requests`.
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

    /// Removes the build folder.
    pub fn remove(&self) -> Result<()> {
        if self.out.exists() {
            fs::remove_dir_all(&self.out)?;
        }
        Ok(())
    }

    /// Configures the kernel; fails if a request is not granted.
    pub fn configure(&self, requests: &Requests) -> Result<()> {
        requests.ensure_granted(&self.resolve(requests)?)
    }

    /// Configures the kernel, and returns the resolved configuration.
    pub fn resolve(&self, requests: &Requests) -> Result<String> {
        if !self.out.exists() {
            disk::ensure_free(&self.tree, BUILD_SPACE, "the kernel's build")?;
        }
        fs::create_dir_all(&self.out)?;
        let requested = self.out.join("requests.config");
        fs::write(&requested, requests.text())?;
        let sh = shell_in(&self.tree)?;
        let cmd = self.command(&sh)?.arg("allnoconfig");
        self.run(cmd.env("KCONFIG_ALLCONFIG", &requested), |_| ())?;
        let config = self.out.join(".config");
        Ok(fs::read_to_string(&config)?)
    }

    /// Makes `targets` and returns the number of steps.
    pub fn make(&self, targets: &[&str], stage: &ProgressStage) -> Result<usize> {
        let sh = shell_in(&self.tree)?;
        let jobs = format!("-j{}", self.ctx.jobs);
        let cmd = self.command(&sh)?.arg(jobs).args(targets);
        let known = self.known_steps();
        let mut steps = 0;
        self.run(cmd, |line| {
            // kbuild's format: two blanks, a short word in capitals, a file
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
        let (arch, cross) = (self.ctx.arch.names().kernel, self.ctx.arch.cross_prefix());
        let out = &self.out;
        let make = cmd!(
            sh,
            "make O={out} ARCH={arch} CROSS_COMPILE={cross} CC='ccache '{cross}gcc HOSTCC='ccache gcc'"
        );
        let cmd = REPRODUCIBLE
            .iter()
            .fold(make, |cmd, (name, value)| cmd.env(name, value));
        Ok(cmd
            .env("CCACHE_DIR", self.ctx.cache_dir("ccache")?)
            .args(kconfig::make_variables(self.ctx)?)
            .args(self.warnings.then_some("W=1")))
    }

    /// Runs make, writes its output to the log and calls `line_seen` with each line. xshell returns output
    /// only at the end, so this uses `std::process::Command`.
    fn run(&self, cmd: Cmd<'_>, mut line_seen: impl FnMut(&str)) -> Result<()> {
        let line = cmd.to_string();
        let mut log = File::create(&self.log)?;
        writeln!(log, "{line}")?;
        // both append, so that the log has output and errors in order
        let errors = OpenOptions::new().append(true).open(&self.log)?;
        let mut log = errors.try_clone()?;
        let mut child = Command::from(cmd)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .context("cannot run make; see `make doctor`")?;
        if let Some(stdout) = child.stdout.take() {
            for text in BufReader::new(stdout).split(b'\n') {
                let text = text.context("cannot read the output of make")?;
                line_seen(&String::from_utf8_lossy(&text));
                log.write_all(&text)?;
                log.write_all(b"\n")?;
            }
        }
        let status = child.wait().context("cannot wait for make")?;
        if !status.success() {
            bail!(
                "the kernel does not compile ({status}):{}\n  log: {}\n  command: {line}",
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

    /// The number of steps of the last complete build; `None` for an incremental build.
    fn known_steps(&self) -> Option<usize> {
        let fresh = !self.out.join("vmlinux").exists();
        let text = fs::read_to_string(self.steps_file()).ok()?;
        text.trim().parse().ok().filter(|_| fresh)
    }

    /// Stores the number of steps for the progress of the next build. Errors are ignored: it is only shown.
    fn remember_steps(&self, steps: usize) {
        let _ = fs::write(self.steps_file(), steps.to_string());
    }
}

/// The first lines of a build log with errors, or its last lines if there are none.
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
    fn the_first_errors_of_a_log_are_shown() {
        let log = "make -j2\n  CC      a.o\n../a.c:3:1: error: expected `;'\nmake[2]: *** [a.o] Error 1\n";
        assert_eq!(
            first_errors(log),
            "\n  | ../a.c:3:1: error: expected `;'\n  | make[2]: *** [a.o] Error 1"
        );
        assert_eq!(first_errors("Killed\n"), "\n  | Killed");
    }
}
