// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The command line: the words of `make`, and of its variables.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Parser, Subcommand};

use crate::cmd::tasks;
use crate::env::context::{AccelChoice, Arch, Context, PLAIN, find_cache, find_repo};
use crate::env::paths;
use crate::env::progress::Progress;

/// BPF standard streams for Linux 6.12: build, boot, run, compare.
#[derive(Debug, Parser)]
#[command(name = "bpf-streams", version, propagate_version = true)]
pub struct Cli {
    /// What every task takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// What every task takes. Each is also a variable of `make`: `make boot-test ARCH=arm64`.
#[derive(Args, Debug)]
pub struct Common {
    /// The kernel that the series is for: a folder under patches/
    #[arg(long, global = true, env = "BASE", default_value = "v6.12")]
    base: String,
    /// Architecture of the guest: x86_64 or arm64 [default: this machine's]
    #[arg(long, global = true, env = "ARCH")]
    arch: Option<Arch>,
    /// Kernel configuration: `plain`, or the name of a fragment in kernel-config/
    #[arg(long, global = true, env = "CONFIG", default_value = PLAIN)]
    config: String,
    /// How the guest is run
    #[arg(long, global = true, env = "ACCEL", value_enum, default_value = "auto")]
    accel: AccelChoice,
    /// Take this built kernel (image or build folder) or kernel tree instead of base and series
    #[arg(long, global = true, env = "KERNEL", value_name = "PATH")]
    kernel: Option<PathBuf>,
}

/// One variant a task; `make help` shows the same words.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Build and boot the patched kernel, run the selftests, compare every stream with its snapshot
    BootTest(tasks::boot_test::Args),
    /// Ours beside mainline, selftest by selftest, from the last runs of both (TEST=regex: what differs)
    Compare(tasks::compare::Args),
    /// What each operation costs in guest instructions, ours beside mainline (RUNS=3: how sure that is)
    Bench(tasks::bench::Args),
    /// Everything that must hold: formatting, lints, unit and failure tests, the series, boot-test
    Test(tasks::test::Args),
    /// Run the selftests that the series adds to the kernel's tree, by the tree's own test_progs
    TreeTests(tasks::tree_tests::Args),
    /// Put the series onto a kernel tree, all of it or nothing
    Apply(tasks::apply::Args),
    /// A git tree of the base with the series as commits, to work in
    Tree(tasks::tree::Args),
    /// Write the patches back from the commits of that tree
    Refresh(tasks::refresh::Args),
    /// Write the series to OUT as mails, as an mbox and as a quilt series
    Export(tasks::export::Args),
    /// Check that every patch applies, builds alone and can be sent (BOOT=1: and boots)
    CheckSeries(tasks::check_series::Args),
    /// Review the snapshots that changed
    Review(tasks::review::Args),
    /// A shell in the patched kernel, with bpftool
    Shell(tasks::shell::Args),
    /// Boot, run programs that go wrong (TEST=regex: other tests), show what the kernel said of it
    Demo(tasks::demo::Args),
    /// Only the set-up, for everything that `make test` needs
    Setup(tasks::setup::Args),
    /// Each tool, whether it works, and what set-up would install; nothing is changed
    Doctor(tasks::doctor::Args),
    /// Carry the set-up out in new minimal roots of Debian (SUITE=name: only in that one)
    SetupTest(tasks::setup_test::Args),
    /// Run every cell of the matrix (base, architecture, configuration) and report in build/report/
    Nightly(tasks::nightly::Args),
    /// Make that report anew from what the cells have left, wherever they ran
    Report(tasks::report::Args),
    /// Print the matrix as JSON, for the strategy of a workflow
    Matrix(tasks::matrix::Args),
    /// Print the snapshots that changed since SINCE, before and after, as Markdown
    SnapshotsChanged(tasks::snapshots_changed::Args),
    /// Print the key of the kernel in the cache, for the cache of a workflow
    CacheKey(tasks::cache_key::Args),
}

impl Common {
    /// Finds the clone and the cache, and checks what was asked for.
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
            kernel: self.kernel.filter(|path| !path.as_os_str().is_empty()),
            ci: std::env::var_os("CI").is_some_and(|value| value == "true"),
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            progress: Progress::detect(),
        };
        ensure!(
            ctx.patches().join("base.json").is_file(),
            "there is no base `{}`: patches/{0}/base.json is missing; there is {}",
            ctx.base,
            bases(&ctx).join(", ")
        );
        Ok(ctx)
    }
}

/// The bases that there are: the folders under `patches/` that hold a `base.json`.
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
