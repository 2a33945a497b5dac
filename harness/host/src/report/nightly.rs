// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The records of the cells of the matrix, and their report: `build/report/`.
//!
//! ```text
//! cells/<cell>.json   the record of a cell, also of one without a result
//! cells/<cell>.log    its output
//! setup/<root>.json   the record of the set-up in a new root
//! report.json         the whole report as data, with the figures of earlier nights
//! summary.md          cells and failures
//! index.html          the whole report as one page
//! ```
//!
//! The report needs only the files of the cells, so it can join cells of several machines.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::env::atomic;
use crate::report::bench::Bench;
use crate::report::bench::history::{self, Night};
use crate::report::matrix::Cell;
use crate::report::run_report::RunResult;
use crate::report::setup_record::SetupRecord;

mod cell;
mod page;
mod sanitize;
mod summary;
mod view;

pub use cell::{CellPlan, Program, run};

/// The result of one cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellRecord {
    /// The cell.
    pub cell: Cell,
    /// How long it took, builds included.
    pub seconds: f64,
    /// Why there is no valid result; a cell with this has failed.
    pub trouble: Option<String>,
    /// Whether the check passed, for a cell that checks a series; such a cell has no `result`.
    #[serde(default)]
    pub checked: bool,
    /// The result of boot-test, if there is one.
    pub result: Option<RunResult>,
    /// The figures, if the benchmark ran.
    pub bench: Option<Bench>,
    /// The end of the output; empty where the cell passed.
    pub output: Vec<String>,
}

impl CellRecord {
    /// Whether the cell ran and passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        let passed = self.result.as_ref().is_some_and(|result| result.passed);
        self.trouble.is_none() && (passed || self.checked)
    }

    /// The record of a cell without a record.
    fn missing(cell: &Cell) -> Self {
        Self {
            cell: cell.clone(),
            trouble: Some(format!(
                "it did not run or did not finish: cells/{cell}.json is missing"
            )),
            ..Self::default()
        }
    }
}

/// The results of all cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nightly {
    /// Date of the report, in UTC.
    pub date: String,
    /// Whether every cell passed.
    pub passed: bool,
    /// The cells, in the order of the matrix.
    pub cells: Vec<CellRecord>,
    /// The results of the set-up in new roots.
    #[serde(default)]
    pub setup: Vec<SetupRecord>,
    /// The figures of this and earlier nights, oldest first.
    pub history: Vec<Night>,
}

/// The history in an earlier report; an old report has none.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Earlier {
    history: Vec<Night>,
}

impl Nightly {
    /// The report of these cells.
    #[must_use]
    pub fn new(cells: Vec<CellRecord>) -> Self {
        Self::after(Vec::new(), cells)
    }

    /// The same, with the figures of earlier nights.
    #[must_use]
    pub fn after(mut history: Vec<Night>, cells: Vec<CellRecord>) -> Self {
        for record in &cells {
            if let Some(bench) = &record.bench {
                history::keep(&mut history, Night::of(&record.cell.to_string(), bench));
            }
        }
        Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            passed: !cells.is_empty() && cells.iter().all(CellRecord::passed),
            cells,
            setup: Vec::new(),
            history,
        }
    }

    /// The same, with the results of the set-up; a failed root fails the night.
    #[must_use]
    pub fn with_setup(mut self, setup: Vec<SetupRecord>) -> Self {
        self.passed &= setup.iter().all(|record| record.passed);
        self.setup = setup;
        self
    }

    /// The report of `cells` from their records in `folder`, with the history of the report there.
    ///
    /// # Errors
    ///
    /// Where a record or the report cannot be read, or a record belongs to another cell.
    pub fn collect(folder: &Folder, cells: &[Cell]) -> Result<Self> {
        let records: Result<Vec<CellRecord>> = cells.iter().map(|cell| folder.read(cell)).collect();
        Ok(Self::after(folder.history()?, records?).with_setup(folder.setup()?))
    }

    /// Writes `report.json`, `summary.md` and `index.html`.
    ///
    /// # Errors
    ///
    /// Where a file cannot be written.
    pub fn write(&self, folder: &Folder) -> Result<()> {
        atomic::write(
            &folder.path("report.json"),
            &serde_json::to_vec_pretty(self)?,
        )?;
        let shown = sanitize::all(self)?;
        atomic::write(
            &folder.path("summary.md"),
            summary::render(&shown)?.as_bytes(),
        )?;
        atomic::write(&folder.path("index.html"), page::render(&shown)?.as_bytes())
    }

    /// One line: the verdict and the failed cells.
    #[must_use]
    pub fn verdict_line(&self) -> String {
        let all = self.cells.len();
        let failed: Vec<String> = self
            .cells
            .iter()
            .filter(|record| !record.passed())
            .map(|record| record.cell.to_string())
            .collect();
        let roots: Vec<&str> = self
            .setup
            .iter()
            .filter(|record| !record.passed)
            .map(|record| record.name.as_str())
            .collect();
        let setup = match roots[..] {
            [] => String::new(),
            _ => format!("; the set-up in {}", roots.join(", ")),
        };
        match &failed[..] {
            [] if all > 0 && roots.is_empty() => format!("PASSED  {all} of {all} cells"),
            [] if all > 0 => format!("FAILED  0 of {all} cells{setup}"),
            _ => format!(
                "FAILED  {} of {all} cells: {}{setup}",
                failed.len(),
                failed.join(", ")
            ),
        }
    }
}

/// The folder of the set-up's records.
const SETUP: &str = "setup";

/// `build/report/`.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The report folder of the clone `repo`, created if it is missing.
    ///
    /// # Errors
    ///
    /// Where it cannot be created.
    pub fn of(repo: &Path) -> Result<Self> {
        Self::at(repo.join("build/report"))
    }

    /// A report folder at `dir`.
    ///
    /// # Errors
    ///
    /// Where it cannot be created.
    pub fn at(dir: PathBuf) -> Result<Self> {
        let cells = dir.join("cells");
        fs::create_dir_all(&cells)?;
        Ok(Self(dir))
    }

    /// A file of the report.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The file `cells/<cell>.<extension>`.
    fn of_cell(&self, cell: &Cell, extension: &str) -> PathBuf {
        self.0.join("cells").join(format!("{cell}.{extension}"))
    }

    /// Removes the files of a cell.
    ///
    /// # Errors
    ///
    /// Where a file cannot be removed.
    pub fn forget(&self, cell: &Cell) -> Result<()> {
        ["json", "log"]
            .iter()
            .try_for_each(|extension| remove(&self.of_cell(cell, extension)))
    }

    /// A temporary folder for a task.
    fn scratch(&self) -> Result<TempDir> {
        tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(&self.0)
            .with_context(|| format!("cannot create a folder in {}", self.0.display()))
    }

    /// Writes the record of a cell.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn keep(&self, record: &CellRecord) -> Result<()> {
        atomic::write(
            &self.of_cell(&record.cell, "json"),
            &serde_json::to_vec_pretty(record)?,
        )
    }

    /// Removes the records of the set-up.
    ///
    /// # Errors
    ///
    /// Where a file cannot be removed.
    pub fn forget_setup(&self) -> Result<()> {
        let dir = self.path(SETUP);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Writes the record of the set-up in a root.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn keep_setup(&self, record: &SetupRecord) -> Result<()> {
        let dir = self.path(SETUP);
        fs::create_dir_all(&dir)?;
        atomic::write(
            &dir.join(format!("{}.json", record.name)),
            &serde_json::to_vec_pretty(record)?,
        )
    }

    /// The records of the set-up, ordered by root; empty where it did not run.
    fn setup(&self) -> Result<Vec<SetupRecord>> {
        let dir = self.path(SETUP);
        if !dir.exists() {
            return Ok(Vec::new());
        }
        let what = || format!("cannot read {}", dir.display());
        let mut records = Vec::new();
        for entry in fs::read_dir(&dir).with_context(what)? {
            let path = entry.with_context(what)?.path();
            if path.extension().is_none_or(|end| end != "json") {
                continue;
            }
            let bytes = fs::read(&path).with_context(what)?;
            let record: SetupRecord = serde_json::from_slice(&bytes).with_context(|| {
                format!(
                    "{} is not a record of a set-up; remove it and run `make setup-test` again",
                    path.display()
                )
            })?;
            records.push(record);
        }
        records.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(records)
    }

    /// The history in the last report.
    fn history(&self) -> Result<Vec<Night>> {
        let path = self.path("report.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error.into());
            }
        };
        let earlier: Earlier = serde_json::from_slice(&bytes).with_context(|| {
            format!(
                "{} is not a report; it holds the figures of earlier nights: remove it to start without them",
                path.display()
            )
        })?;
        Ok(earlier.history)
    }

    fn read(&self, cell: &Cell) -> Result<CellRecord> {
        let path = self.of_cell(cell, "json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(CellRecord::missing(cell));
            }
            Err(error) => {
                return Err(error.into());
            }
        };
        let record: CellRecord = serde_json::from_slice(&bytes).with_context(|| {
            format!(
                "{} is not a record of a cell; remove it and repeat the cell with \
                 `make nightly CELL={cell}`",
                path.display()
            )
        })?;
        ensure!(
            record.cell == *cell,
            "{} is the record of {}",
            path.display(),
            record.cell
        );
        Ok(record)
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(config: &str) -> Cell {
        Cell {
            base: "v6.12".to_owned(),
            arch: "x86_64".to_owned(),
            config: config.to_owned(),
        }
    }

    fn passed(config: &str) -> CellRecord {
        CellRecord {
            cell: cell(config),
            result: Some(RunResult {
                passed: true,
                ..RunResult::default()
            }),
            ..CellRecord::default()
        }
    }

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path().join("report")).unwrap();
        (dir, folder)
    }

    #[test]
    fn a_cell_without_a_record_has_failed() {
        let (_dir, folder) = folder();
        folder.keep(&passed("plain")).unwrap();
        let cells = [cell("plain"), cell("debug")];
        let nightly = Nightly::collect(&folder, &cells).unwrap();
        assert!(!nightly.passed);
        assert_eq!(
            nightly.verdict_line(),
            "FAILED  1 of 2 cells: v6.12-x86_64-debug"
        );
        folder.keep(&passed("debug")).unwrap();
        let nightly = Nightly::collect(&folder, &cells).unwrap();
        assert_eq!(nightly.verdict_line(), "PASSED  2 of 2 cells");
        folder.forget(&cells[0]).unwrap();
        assert!(!Nightly::collect(&folder, &cells).unwrap().passed);
    }

    #[test]
    fn a_root_in_which_the_set_up_failed_fails_the_night() {
        let (_dir, folder) = folder();
        folder.keep(&passed("plain")).unwrap();
        let collect = || Nightly::collect(&folder, &[cell("plain")]).unwrap();
        let root = |name: &str, passed| SetupRecord {
            name: name.to_owned(),
            passed,
            output: vec!["qemu-utils was removed".to_owned()],
            ..SetupRecord::default()
        };
        folder.keep_setup(&root("debian-12", true)).unwrap();
        assert_eq!(collect().verdict_line(), "PASSED  1 of 1 cells");
        folder.keep_setup(&root("debian-13", false)).unwrap();
        let nightly = collect();
        assert!(!nightly.passed);
        assert_eq!(
            nightly.verdict_line(),
            "FAILED  0 of 1 cells; the set-up in debian-13"
        );
        nightly.write(&folder).unwrap();
        for name in ["index.html", "summary.md"] {
            let text = fs::read_to_string(folder.path(name)).unwrap();
            assert!(text.contains("debian-13") && text.contains("qemu-utils was removed"));
        }
        folder.forget_setup().unwrap();
        folder.forget_setup().unwrap();
        assert!(collect().passed);
    }

    #[test]
    fn no_cells_are_no_success() {
        let nightly = Nightly::new(Vec::new());
        assert!(!nightly.passed);
        assert!(nightly.verdict_line().starts_with("FAILED"));
    }

    #[test]
    fn a_cell_with_a_result_and_a_trouble_has_failed() {
        let mut record = passed("plain");
        record.trouble = Some("it said two things".to_owned());
        assert!(!record.passed());
    }

    #[test]
    fn the_record_of_another_cell_or_of_nothing_is_an_error() {
        let (_dir, folder) = folder();
        let path = folder.of_cell(&cell("debug"), "json");
        fs::write(&path, serde_json::to_vec(&passed("plain")).unwrap()).unwrap();
        let said = |config| {
            Nightly::collect(&folder, &[cell(config)])
                .unwrap_err()
                .to_string()
        };
        assert!(said("debug").ends_with("is the record of v6.12-x86_64-plain"));
        fs::write(&path, "{\"cell\":").unwrap();
        assert!(said("debug").contains("make nightly CELL=v6.12-x86_64-debug"));
    }

    #[test]
    fn the_figures_of_earlier_nights_are_kept_by_the_report() {
        let (_dir, folder) = folder();
        let night = |date: &str| {
            let mut record = passed("plain");
            let mut bench = Bench::default();
            bench.ours.environment.date = date.to_owned();
            record.bench = Some(bench);
            folder.keep(&record).unwrap();
            let nightly = Nightly::collect(&folder, &[cell("plain")]).unwrap();
            nightly.write(&folder).unwrap();
            nightly.history.len()
        };
        assert_eq!(
            [
                night("2026-11-21"),
                night("2026-11-21"),
                night("2026-11-22")
            ],
            [1, 1, 2]
        );
        fs::write(folder.path("report.json"), "{\"passed\": true}").unwrap();
        assert_eq!(night("2026-11-23"), 1);
        fs::write(folder.path("report.json"), "{").unwrap();
        let told = Nightly::collect(&folder, &[]).unwrap_err();
        assert!(format!("{told:#}").contains("remove it to start without them"));
    }
}
