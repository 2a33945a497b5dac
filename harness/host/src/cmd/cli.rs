// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The command line. `make TASK NAME=value` calls `bpf-streams TASK --name=value`; a test compares the
//! targets and variables of the Makefile with what is defined here.

use std::ffi::OsStr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cmd::tasks;
use crate::env::context::{AccelChoice, Arch, Context, PLAIN, find_cache, find_repo};
use crate::env::guest_machine::GuestMachine;
use crate::env::paths;
use crate::env::progress::Progress;

/// What `--help` shows after the flags of every task.
const AFTER_HELP: &str = "\
Exit status:
  0  everything passed
  1  a test or a check failed
  2  no verdict: set-up, build, machine or usage
Through `make`, the exit status is 2 in both cases of failure, as make's own.

With make, `--name value` is `NAME=value` on make's command line: `make boot-test ARCH=arm64`.
Variables of the environment change nothing, except CI (anything but empty, 0 and false: a differing
snapshot is not written for review), GITHUB_ACTIONS (true: boot-test prints annotations) and
XDG_CACHE_HOME (where the cache is).";

/// BPF standard streams for Linux 6.12: build, boot, run, compare.
#[derive(Debug, Parser)]
#[command(name = "bpf-streams", version, propagate_version = true)]
pub struct Cli {
    /// Flags of every task.
    #[command(flatten)]
    pub common: Common,
    /// The task.
    #[command(subcommand)]
    pub task: Task,
}

/// Flags of every task.
#[derive(Args, Debug)]
pub struct Common {
    /// The kernel that the series is for: a folder under patches/
    #[arg(long, global = true, default_value = "v6.12")]
    base: String,
    /// Architecture of the guest: x86_64 or arm64 [default: this machine's]
    #[arg(long, global = true)]
    arch: Option<Arch>,
    /// Kernel configuration: `plain`, or the name of a fragment in kernel-config/
    #[arg(long, global = true, default_value = PLAIN)]
    config: String,
    /// How QEMU runs the guest
    #[arg(long, global = true, value_enum, default_value = "auto")]
    accel: AccelChoice,
    /// Use this built kernel (image or build folder) or kernel tree instead of base and series
    #[arg(long, global = true, value_name = "PATH")]
    kernel: Option<PathBuf>,
}

/// One variant per task.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Build and boot the patched kernel, run the selftests, compare every stream with its snapshot
    BootTest(tasks::boot_test::Args),
    /// Compare the series with mainline, test by test (TEST=regex: with the differences)
    Compare(tasks::compare::Args),
    /// Measure each operation in guest instructions, series and mainline (RUNS=3: with the spread)
    Bench(tasks::bench::Args),
    /// Run lints, unit tests, quick checks of the series, boot-test on x86-64 and arm64 (arm64 hosts: arm64)
    Test(tasks::test::Args),
    /// Test the nightly page in Chromium
    PageTest(tasks::page_test::Args),
    /// Run the selftests that the series adds to the kernel's tree, with the tree's test_progs
    TreeTests(tasks::tree_tests::Args),
    /// Apply the series to a kernel tree: all patches or none
    Apply(tasks::apply::Args),
    /// Create a git tree of the base with the series as commits, to work in
    Tree(tasks::tree::Args),
    /// Write the patches from the commits of that tree
    Refresh(tasks::refresh::Args),
    /// Write the series to OUT as mails, as an mbox and as a quilt series
    Export(tasks::export::Args),
    /// Check that every patch applies, builds alone and can be sent (BOOT=1: and boots)
    CheckSeries(tasks::check_series::Args),
    /// Review the snapshots that changed
    Review(tasks::review::Args),
    /// Start a shell in the patched kernel, with bpftool
    Shell(tasks::shell::Args),
    /// Run programs that go wrong (TEST=regex: other tests) and show the kernel's reports
    Demo(tasks::demo::Args),
    /// Install everything that `make test` needs
    Setup(tasks::setup::Args),
    /// Show each tool, whether it works, and what set-up would install; change nothing
    Doctor(tasks::doctor::Args),
    /// Test the set-up in new Debian roots, minimal installations in a folder (SUITE=name: in one of them)
    SetupTest(tasks::setup_test::Args),
    /// Run every cell of the matrix (base, architecture, configuration); report in build/report/
    Nightly(tasks::nightly::Args),
    /// Write that report from the records of the cells, wherever they ran
    Report(tasks::report::Args),
    /// Print the matrix as JSON, for the strategy of a workflow
    Matrix(tasks::matrix::Args),
    /// Print the snapshots that changed since SINCE, before and after, as Markdown
    SnapshotsChanged(tasks::snapshots_changed::Args),
    /// Print the cache key of the kernel, for the cache of a workflow
    CacheKey(tasks::cache_key::Args),
}

/// The command, with the exit statuses in the help of every task.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
        .after_help(AFTER_HELP)
        .mut_subcommands(|task| task.after_help(AFTER_HELP))
}

/// Parses the command line of this process; ends the process on a usage error and after `--help`.
#[must_use]
pub fn parse() -> Cli {
    let matches = command().get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

impl Common {
    /// Finds the clone and the cache, and checks the flags.
    pub fn into_context(self) -> Result<Context> {
        let arch = match self.arch {
            Some(arch) => arch,
            None => Arch::of_this_machine()
                .context("guests of this machine's architecture are not supported; set ARCH")?,
        };
        let repo = find_repo()?;
        let cache = find_cache()?;
        paths::check(&repo, "the clone", "move it to another folder")?;
        paths::check(&cache, "the cache", "set XDG_CACHE_HOME to another folder")?;
        let ctx = Context {
            repo,
            cache,
            base: self.base,
            arch,
            config: self.config,
            accel: self.accel,
            kernel: self.kernel,
            ci: is_ci(std::env::var_os("CI").as_deref()),
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            setup: std::time::Duration::ZERO,
            progress: Progress::detect(),
        };
        ensure!(
            ctx.patches().join("base.json").is_file(),
            "unknown base `{}`: patches/{0}/base.json is missing; the bases are {}",
            ctx.base,
            bases(&ctx).join(", ")
        );
        // before anything is installed or built
        GuestMachine::of(&ctx)?;
        Ok(ctx)
    }
}

/// Whether the value of the variable `CI` means CI: any but an empty one, `0` and `false`.
fn is_ci(value: Option<&OsStr>) -> bool {
    value.is_some_and(|value| !value.is_empty() && value != "0" && value != "false")
}

/// The folders under `patches/` that hold a `base.json`.
fn bases(ctx: &Context) -> Vec<String> {
    let Ok(entries) = ctx.repo.join("patches").read_dir() else {
        return Vec::new();
    };
    let mut bases: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("base.json").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    bases.sort();
    bases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::command::NOT_INHERITED;

    fn parsed(words: &[&str]) -> Result<Task, clap::Error> {
        let words = ["bpf-streams"].iter().chain(words);
        Cli::try_parse_from(words).map(|cli| cli.task)
    }

    #[test]
    fn every_value_of_ci_but_empty_0_and_false_means_ci() {
        for value in ["true", "1", "yes", "woodpecker"] {
            assert!(is_ci(Some(OsStr::new(value))), "{value}");
        }
        for value in ["", "0", "false"] {
            assert!(!is_ci(Some(OsStr::new(value))), "{value:?}");
        }
        assert!(!is_ci(None));
    }

    #[test]
    fn switches_take_0_1_true_and_false() {
        let quick = |words: &[&str]| match parsed(&[&["check-series"], words].concat()) {
            Ok(Task::CheckSeries(args)) => Some(args.quick),
            _ => None,
        };
        assert_eq!(quick(&[]), Some(false));
        assert_eq!(quick(&["--quick"]), Some(true));
        for (value, expected) in [("0", false), ("false", false), ("1", true), ("true", true)] {
            assert_eq!(quick(&[&format!("--quick={value}")]), Some(expected));
        }
        assert_eq!(quick(&["--quick=maybe"]), None);
    }

    #[test]
    fn no_command_inherits_the_variable_of_a_flag() {
        let mut command = command();
        command.build();
        for flag in command
            .get_subcommands()
            .filter(|task| task.get_name() != "help")
            .flat_map(clap::Command::get_arguments)
            .filter_map(clap::Arg::get_long)
            .filter(|flag| !["help", "version", "all"].contains(flag))
        {
            let variable = flag.to_uppercase().replace('-', "_");
            assert!(
                NOT_INHERITED.contains(&variable.as_str()),
                "add {variable} to NOT_INHERITED in env/command.rs"
            );
        }
    }

    #[test]
    fn every_switch_is_parsed_alike() {
        for task in command().get_subcommands() {
            for name in ["quick", "boot", "alone"] {
                let Some(switch) = task.get_arguments().find(|arg| arg.get_id() == name) else {
                    continue;
                };
                let default = switch.get_default_values();
                assert_eq!(default, ["0"], "{} --{name}", task.get_name());
            }
        }
        for (value, alone) in [("0", false), ("1", true)] {
            let Ok(Task::Bench(args)) = parsed(&["bench", &format!("--alone={value}")]) else {
                panic!("bench --alone={value} is refused");
            };
            assert_eq!(args.alone, alone);
        }
    }

    #[test]
    fn the_help_of_every_task_lists_the_exit_statuses() {
        let mut command = command();
        assert!(command.render_help().to_string().contains("Exit status:"));
        command.build();
        for task in command
            .get_subcommands_mut()
            .filter(|task| task.get_name() != "help")
        {
            let help = task.render_help().to_string();
            assert!(help.contains("2  no verdict"), "{help}");
        }
    }
}
