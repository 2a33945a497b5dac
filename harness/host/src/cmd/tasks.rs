// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The tasks: one file each, one target of `make` each.

use std::process::ExitCode;

use anyhow::Result;

use crate::build::kernel;
use crate::cmd::check::Depth;
use crate::cmd::cli::Task;
use crate::env::command;
use crate::env::context::{Arch, Context};
use crate::env::tools::{self, Origin, Purpose, Tool};
use crate::env::unpacked;
use crate::queue::base::REFERENCE;

pub mod apply;
pub mod bench;
pub mod boot_test;
pub mod cache_key;
pub mod check_series;
pub mod compare;
pub mod decode;
pub mod demo;
pub mod doctor;
pub mod export;
pub mod matrix;
pub mod nightly;
pub mod refresh;
pub mod report;
pub mod review;
pub mod setup;
pub mod setup_test;
pub mod shell;
pub mod snapshots_changed;
pub mod test;
pub mod tree;
pub mod tree_tests;

/// Carries a task out. The exit code is the verdict; an error is what kept it from being reached.
pub fn run(ctx: &Context, task: &Task) -> Result<ExitCode> {
    command::search_first(unpacked::programs(&ctx.cache));
    crate::env::setup::ensure(ctx, &tools_for(ctx, task))?;
    match task {
        Task::BootTest(args) => boot_test::run(ctx, args),
        Task::Compare(args) => compare::run(ctx, args),
        Task::Bench(args) => bench::run(ctx, args),
        Task::Test(args) => test::run(ctx, args),
        Task::Apply(args) => apply::run(ctx, args),
        Task::TreeTests(args) => tree_tests::run(ctx, args),
        Task::Tree(args) => tree::run(ctx, args),
        Task::Refresh(args) => refresh::run(ctx, args),
        Task::Export(args) => export::run(ctx, args),
        Task::CheckSeries(args) => check_series::run(ctx, args),
        Task::Review(args) => review::run(ctx, args),
        Task::Shell(args) => shell::run(ctx, args),
        Task::Demo(args) => demo::run(ctx, args),
        Task::Setup(args) => setup::run(ctx, args),
        Task::SetupTest(args) => setup_test::run(ctx, args),
        Task::Doctor(args) => doctor::run(ctx, args),
        Task::Matrix(args) => matrix::run(ctx, args),
        Task::Nightly(args) => nightly::run(ctx, args),
        Task::Report(args) => report::run(ctx, args),
        Task::SnapshotsChanged(args) => snapshots_changed::run(ctx, args),
        Task::CacheKey(args) => cache_key::run(ctx, args),
    }
}

/// What a task needs on the machine; what is missing is installed before it begins.
fn tools_for(ctx: &Context, task: &Task) -> Vec<&'static Tool> {
    match task {
        // it says what is missing
        Task::Doctor(_) => Vec::new(),
        // they only read what lies there
        Task::Matrix(_) | Task::Report(_) | Task::Review(_) | Task::Export(_) => Vec::new(),
        // each cell sees to its own
        Task::Nightly(_) => Vec::new(),
        Task::Apply(_) | Task::Refresh(_) | Task::SnapshotsChanged(_) => {
            tools::of(&[Purpose::Patches])
        }
        Task::CheckSeries(args) if args.depth() == Depth::Quick => {
            all(&Arch::buildable_here(), &[Purpose::Series])
        }
        Task::CheckSeries(_) => all(
            &Arch::buildable_here(),
            &[Purpose::Series, Purpose::Documentation],
        ),
        Task::TreeTests(_) => all(&[ctx.arch], &[Purpose::TreeTests]),
        Task::Test(_) | Task::Setup(_) => for_make_test(),
        Task::SetupTest(_) => all(&Arch::buildable_here(), &[Purpose::SetupTest]),
        Task::Compare(_) | Task::Bench(_) => all(&[ctx.arch], &[Purpose::Mainline]),
        _ if ctx.base == REFERENCE => all(&[ctx.arch], &[Purpose::Mainline]),
        _ => tools::needed_for(ctx.arch, origin(ctx)),
    }
}

/// What `make test` needs.
fn for_make_test() -> Vec<&'static Tool> {
    all(
        &Arch::buildable_here(),
        &[Purpose::Series, Purpose::TreeTests, Purpose::Tests],
    )
}

/// Where the kernel of `ctx` comes from. A path that leads to no kernel is refused later.
fn origin(ctx: &Context) -> Origin {
    match &ctx.kernel {
        None => Origin::Series,
        Some(path) if kernel::is_to_be_built(path, ctx.arch) => Origin::Tree,
        Some(_) => Origin::Built,
    }
}

/// What guests of these architectures need, and more; each tool once.
fn all(guests: &[Arch], more: &[Purpose]) -> Vec<&'static Tool> {
    let guests = guests.iter().copied().flat_map(tools::needed);
    tools::distinct(guests.chain(tools::of(more)))
}
