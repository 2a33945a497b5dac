// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make nightly`: every cell of the matrix on this machine, the set-up in new roots, and the report.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::cmd::setup_test::TESTS;
use crate::env::context::Context;
use crate::report::matrix::{Cell, Matrix};
use crate::report::nightly::{self, CellRecord, Folder, Nightly, Program};

/// What `make nightly` takes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Run only this cell of the matrix, for example v6.12-arm64-debug
    #[arg(long, env = "CELL", value_name = "NAME")]
    pub cell: Option<String>,
}

/// Runs the task. A cell that fails does not keep the others from running.
pub fn run(ctx: &Context, args: &Args) -> Result<ExitCode> {
    let matrix = Matrix::of(&ctx.repo)?;
    let cells = match args.cell.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => vec![matrix.find(name)?.clone()],
        None => matrix.cells.clone(),
    };
    let folder = Folder::of(&ctx.repo)?;
    let program = Program::this()?;
    // what an earlier night left must not stand for a cell that this one does not come to, and
    // whoever stops the night has a report of what it came to
    cells.iter().try_for_each(|cell| folder.forget(cell))?;
    folder.forget_setup()?;
    Nightly::collect(&folder, &cells)?.write(&folder)?;
    for cell in &cells {
        let stage = ctx.progress.stage("cell", cell);
        let record = nightly::run(&program, cell, &folder, matrix.is_measured(cell));
        folder.keep(&record)?;
        stage.done(line(cell, &record));
        Nightly::collect(&folder, &cells)?.write(&folder)?;
    }
    if args.cell.as_deref().is_none_or(str::is_empty) {
        try_setup(ctx, &folder)?;
    }
    tell(&ctx.repo, &Nightly::collect(&folder, &cells)?, &folder)
}

/// Tries the set-up in new roots, and keeps what came of it.
fn try_setup(ctx: &Context, folder: &Folder) -> Result<()> {
    for test in TESTS {
        let record = super::setup_test::carry_out(ctx, test);
        folder.keep_setup(&record)?;
    }
    Ok(())
}

/// Says what came of the cells and where the report is; the exit code is the verdict.
pub(super) fn tell(repo: &Path, nightly: &Nightly, folder: &Folder) -> Result<ExitCode> {
    nightly.write(folder)?;
    let page = folder.path("index.html");
    let shown = page.strip_prefix(repo).unwrap_or(&page).display();
    println!("{}; see {shown}", nightly.verdict_line());
    Ok(if nightly.passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn line(cell: &Cell, record: &CellRecord) -> String {
    let verdict = if record.passed() { "passed" } else { "FAILED" };
    match (&record.trouble, &record.result) {
        (Some(trouble), _) => format!("{cell} {verdict}: {trouble}"),
        (None, Some(result)) => format!("{cell} {verdict}: {} selftests", result.counts()),
        (None, None) => format!("{cell} {verdict}"),
    }
}
