// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The record of what a run was made with, and the line that repeats it.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use xshell::{Shell, cmd};

use crate::env::context::Context;
use crate::vm::machine;

/// What a run was made with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// When it was reported, in UTC.
    pub date: String,
    /// The base that the kernel was built from.
    pub base: String,
    /// Architecture of the guest.
    pub arch: String,
    /// Name of the kernel configuration.
    pub config: String,
    /// `uname -r` of the kernel.
    pub kernel: String,
    /// Debian's package of the kernel's source and its version, where it was built from base and
    /// series.
    pub package: Option<String>,
    /// What built the kernel.
    pub compiler: String,
    /// What built the selftests.
    pub clang: String,
    /// First line of QEMU's `--version`.
    pub qemu: String,
    /// Version of virtme-ng.
    pub virtme_ng: String,
    /// How QEMU ran the guest: KVM or software emulation.
    pub accelerator: String,
    /// The machine that ran QEMU: number and model of its CPUs.
    #[serde(default)]
    pub machine: String,
    /// The commit of the harness, the series and the selftests; `None` outside of a git clone.
    pub commit: Option<String>,
    /// Whether the clone held changes that no commit has.
    pub dirty: Option<bool>,
    /// The regular expression that selected tests, where one did.
    pub selection: Option<String>,
    /// The line that repeats the run.
    pub repeat: String,
}

impl Environment {
    /// What `ctx` and the clone say; the tools' versions are for the caller to add.
    #[must_use]
    pub fn of(ctx: &Context, filter: Option<&str>, cpus: u32) -> Self {
        let (commit, dirty) = git(ctx);
        let cpus = match cpus {
            machine::CPUS => String::new(),
            others => format!(" CPUS={others}"),
        };
        let test = filter
            .map(|filter| format!(" TEST='{filter}'"))
            .unwrap_or_default();
        Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            base: ctx.base.clone(),
            arch: ctx.arch.to_string(),
            config: ctx.config.clone(),
            selection: filter.map(str::to_owned),
            machine: host(),
            commit,
            dirty,
            repeat: format!(
                "make boot-test BASE={} ARCH={} CONFIG={}{cpus}{test}",
                ctx.base, ctx.arch, ctx.config
            ),
            ..Self::default()
        }
    }
}

/// Number and model of the CPUs of this machine.
fn host() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "))
        .map_or_else(String::new, |(_, model)| format!(" ({model})"));
    format!("{cpus} CPUs{model}")
}

/// The commit of the clone and whether it was changed, as far as git can tell.
fn git(ctx: &Context) -> (Option<String>, Option<bool>) {
    let Ok(shell) = Shell::new() else {
        return (None, None);
    };
    let repo = &ctx.repo;
    let commit = cmd!(shell, "git -C {repo} rev-parse HEAD")
        .quiet()
        .ignore_stderr()
        .read()
        .ok();
    let changes = cmd!(shell, "git -C {repo} status --porcelain")
        .quiet()
        .ignore_stderr()
        .read()
        .ok();
    (commit, changes.map(|changes| !changes.is_empty()))
}
