// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Installs what a task needs and runs it.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::build::kernel;
use crate::cmd::check::Depth;
use crate::cmd::cli::Task;
use crate::cmd::tasks;
use crate::env::command;
use crate::env::context::{Arch, Context};
use crate::env::setup;
use crate::env::tools::{self, Origin, Purpose, Tool};
use crate::env::unpacked;
use crate::queue::base::REFERENCE;

/// Runs a task. The exit code is the verdict; an error means that there is no verdict.
pub fn run(ctx: &Context, task: &Task) -> Result<ExitCode> {
    command::search_first(unpacked::programs(&ctx.cache));
    let begun = Instant::now();
    setup::ensure(ctx, &tools_for(ctx, task))?;
    let ctx = &Context {
        setup: begun.elapsed(),
        ..ctx.clone()
    };
    match task {
        Task::BootTest(args) => tasks::boot_test::run(ctx, args),
        Task::Compare(args) => tasks::compare::run(ctx, args),
        Task::Bench(args) => tasks::bench::run(ctx, args),
        Task::Test(args) => tasks::test::run(ctx, args),
        Task::PageTest(args) => tasks::page_test::run(ctx, args),
        Task::Apply(args) => tasks::apply::run(ctx, args),
        Task::TreeTests(args) => tasks::tree_tests::run(ctx, args),
        Task::Tree(args) => tasks::tree::run(ctx, args),
        Task::Refresh(args) => tasks::refresh::run(ctx, args),
        Task::Export(args) => tasks::export::run(ctx, args),
        Task::CheckSeries(args) => tasks::check_series::run(ctx, args),
        Task::Review(args) => tasks::review::run(ctx, args),
        Task::Shell(args) => tasks::shell::run(ctx, args),
        Task::Demo(args) => tasks::demo::run(ctx, args),
        Task::Setup(args) => tasks::setup::run(ctx, args),
        Task::SetupTest(args) => tasks::setup_test::run(ctx, args),
        Task::Doctor(args) => tasks::doctor::run(ctx, args),
        Task::Matrix(args) => tasks::matrix::run(ctx, args),
        Task::Nightly(args) => tasks::nightly::run(ctx, args),
        Task::Report(args) => tasks::report::run(ctx, args),
        Task::SnapshotsChanged(args) => tasks::snapshots_changed::run(ctx, args),
        Task::CacheKey(args) => tasks::cache_key::run(ctx, args),
    }
}

/// The tools that a task needs; missing ones are installed before the task begins.
fn tools_for(ctx: &Context, task: &Task) -> Vec<&'static Tool> {
    match task {
        // doctor reports missing tools, nightly starts a process per cell, the others read files
        Task::Doctor(_)
        | Task::Nightly(_)
        | Task::Matrix(_)
        | Task::Report(_)
        | Task::Review(_)
        | Task::Export(_) => Vec::new(),
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
        Task::PageTest(_) => tools::of(&[Purpose::Tests]),
        Task::Test(_) | Task::Setup(_) => all(
            &Arch::buildable_here(),
            &[Purpose::Series, Purpose::TreeTests, Purpose::Tests],
        ),
        Task::SetupTest(_) => all(&Arch::buildable_here(), &[Purpose::SetupTest]),
        Task::Compare(_) | Task::Bench(_) => all(&[ctx.arch], &[Purpose::Mainline]),
        _ if ctx.base == REFERENCE => all(&[ctx.arch], &[Purpose::Mainline]),
        _ => tools::needed_for(ctx.arch, origin(ctx)),
    }
}

/// Where the kernel of `ctx` comes from. A path without a kernel is rejected later.
fn origin(ctx: &Context) -> Origin {
    match &ctx.kernel {
        None => Origin::Series,
        Some(path) if kernel::is_to_be_built(path, ctx.arch) => Origin::Tree,
        Some(_) => Origin::Built,
    }
}

/// The tools for guests of these architectures and those of `more`, each once.
fn all(guests: &[Arch], more: &[Purpose]) -> Vec<&'static Tool> {
    let guests = guests.iter().copied().flat_map(tools::needed);
    tools::distinct(guests.chain(tools::of(more)))
}
