// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make nightly`: every cell of the matrix on this machine, the set-up in new roots, and the report.

use std::process::ExitCode;

use anyhow::Result;

use super::setup_test;
use crate::cmd::exit;
use crate::cmd::setup_roots::ROOTS;
use crate::env::context::Context;
use crate::report::bench::aims::Aims;
use crate::report::generated;
use crate::report::matrix::{Cell, Matrix};
use crate::report::nightly::{self, CellPlan, CellRecord, Folder, Nightly, Program};

/// Flags of `make nightly`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Run only this cell of the matrix, for example v6.12-arm64-debug
    #[arg(long, value_name = "NAME")]
    pub cell: Option<String>,
    /// How many seconds each stress test runs
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub stress: u64,
}

/// Runs the task. A cell that fails does not stop the others.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let matrix = Matrix::of(&ctx.repo)?;
    let cells = match &args.cell {
        Some(name) => vec![matrix.find(name)?.clone()],
        None => matrix.cells.clone(),
    };
    let folder = Folder::of(&ctx.repo)?;
    let program = Program::this()?;
    // Records of an earlier night must not count for a cell that this night does not reach. The
    // report is written after each cell, so an interrupted night has one.
    cells.iter().try_for_each(|cell| folder.forget(cell))?;
    folder.forget_setup()?;
    Nightly::collect(&folder, &cells)?.write(&folder)?;
    for cell in &cells {
        let stage = ctx.progress.stage("cell", cell);
        let plan = CellPlan {
            measure: matrix.is_measured(cell),
            stress: args.stress,
            accel: ctx.accel,
        };
        let record = nightly::run(&program, cell, &folder, &plan);
        folder.keep(&record)?;
        stage.done(line(cell, &record));
        Nightly::collect(&folder, &cells)?.write(&folder)?;
    }
    if args.cell.is_none() {
        for root in ROOTS {
            folder.keep_setup(&setup_test::record(ctx, root))?;
        }
    }
    finish(
        ctx,
        &Nightly::collect(&folder, &cells)?,
        &folder,
        args.cell.is_none(),
    )
}

/// Writes the report and, for a night that `is_whole` and passed, the tables of the documentation; prints the
/// verdict and the path of the page.
pub(super) fn finish(
    ctx: &Context,
    nightly: &Nightly,
    folder: &Folder,
    is_whole: bool,
) -> Result<ExitCode> {
    nightly.write(folder)?;
    if is_whole && nightly.passed && !ctx.ci {
        generated::write_nightly(&ctx.repo, nightly, &Aims::of_repo(&ctx.repo)?)?;
    }
    let page = folder.path("index.html");
    let shown = page.strip_prefix(&ctx.repo).unwrap_or(&page).display();
    println!("{}; see {shown}", nightly.verdict_line());
    Ok(exit::verdict(nightly.passed))
}

fn line(cell: &Cell, record: &CellRecord) -> String {
    let verdict = if record.passed() { "passed" } else { "FAILED" };
    match (&record.trouble, &record.result) {
        (Some(trouble), _) => format!("{cell} {verdict}: {trouble}"),
        (None, Some(result)) => format!("{cell} {verdict}: {} tests", result.counts()),
        (None, None) => format!("{cell} {verdict}"),
    }
}
