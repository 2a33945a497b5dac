// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The record of a run's environment, and the command that repeats the run.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use xshell::{Shell, cmd};

use crate::env::context::Context;
use crate::vm::machine;

/// Kernel, tools and machine of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Date of the report, in UTC.
    pub date: String,
    /// The base of the kernel.
    pub base: String,
    /// Architecture of the guest.
    pub arch: String,
    /// Name of the kernel configuration.
    pub config: String,
    /// `uname -r` of the kernel.
    pub kernel: String,
    /// Debian's source package and its version, for a kernel built from base and series.
    pub package: Option<String>,
    /// The compiler of the kernel.
    pub compiler: String,
    /// The compiler of the selftests.
    pub clang: String,
    /// First line of QEMU's `--version`.
    pub qemu: String,
    /// Version of virtme-ng.
    pub virtme_ng: String,
    /// How QEMU ran the guest: KVM or software emulation.
    pub accelerator: String,
    /// Number of guests that shared the tests.
    #[serde(default)]
    pub jobs: usize,
    /// The machine that ran QEMU: number and model of its CPUs.
    #[serde(default)]
    pub machine: String,
    /// The commit of the harness, the series and the selftests; `None` outside of a git clone.
    pub commit: Option<String>,
    /// Whether the clone had uncommitted changes.
    pub dirty: Option<bool>,
    /// The regular expression that selected tests, if there was one.
    pub selection: Option<String>,
    /// The command that repeats the run.
    pub repeat: String,
}

impl Environment {
    /// The fields known from `ctx` and the clone; the caller adds the versions of the tools.
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

/// The commit of the clone and whether it has uncommitted changes, if git knows.
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
