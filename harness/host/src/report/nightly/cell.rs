// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs one cell: `boot-test`, and `bench` where it is to be, each as a process of its own, so that
//! nothing it does, not even its death, keeps the next cell from running.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::{CellRecord, Folder};
use crate::env::context::PLAIN;
use crate::report::bench::Bench;
use crate::report::matrix::Cell;
use crate::report::run_report::RunResult;
use crate::vm::machine::process_group::ProcessGroup;

/// Lines that a report shows of what a failed cell said.
const OUTPUT_LINES: usize = 100;

/// What would make a cell another than the matrix says.
const NOT_FOR_CELLS: [&str; 11] = [
    "BASE", "ARCH", "CONFIG", "TEST", "KERNEL", "JSON", "TREE", "RUNS", "ALONE", "QUICK", "BOOT",
];

/// The program that knows `boot-test`.
#[derive(Clone, Debug)]
pub struct Program(pub PathBuf);

impl Program {
    /// This very program.
    ///
    /// # Errors
    ///
    /// Where the system does not say which that is.
    pub fn this() -> Result<Self> {
        std::env::current_exe()
            .map(Self)
            .context("cannot find out which program this is")
    }
}

/// Runs a cell, and its benchmark where `bench` says so, and tells what came of it; keeps what it said
/// in `cells/<cell>.log`. A cell that cannot be run has failed like any other: the rest of the matrix is
/// still to be run.
pub fn run(program: &Program, cell: &Cell, folder: &Folder, bench: bool) -> CellRecord {
    let begun = Instant::now();
    let mut record = CellRecord {
        cell: cell.clone(),
        ..CellRecord::default()
    };
    let outcome = folder.forget(cell).and_then(|()| match cell.is_series() {
        true => check_series(program, cell, folder, &mut record),
        false => boot_test(program, cell, folder, &mut record),
    });
    if let Err(error) = outcome {
        record.trouble = Some(format!("it could not be run: {error:#}"));
    }
    if bench && record.trouble.is_none() {
        match task::<Bench>(program, cell, folder, &["bench"]) {
            Ok((status, bench)) => {
                record.trouble = bench_trouble(status, bench.as_ref());
                record.bench = bench;
            }
            Err(error) => record.trouble = Some(format!("make bench could not be run: {error:#}")),
        }
    }
    record.seconds = begun.elapsed().as_secs_f64();
    if !record.passed() {
        record.output = last_lines(&folder.of_cell(cell, "log"));
    }
    record
}

fn boot_test(
    program: &Program,
    cell: &Cell,
    folder: &Folder,
    record: &mut CellRecord,
) -> Result<()> {
    let words = ["boot-test", "--stress", &stress()];
    let (status, result) = task::<RunResult>(program, cell, folder, &words)?;
    record.trouble = trouble(cell, status, result.as_ref());
    record.result = result;
    Ok(())
}

/// The whole check: its exit status is its result, as it has no selftests.
fn check_series(
    program: &Program,
    cell: &Cell,
    folder: &Folder,
    record: &mut CellRecord,
) -> Result<()> {
    let status = carry_out(
        program,
        cell,
        folder,
        &["check-series", "--config", PLAIN],
        &folder.scratch()?,
    )?;
    record.checked = status.success();
    if !record.checked {
        record.trouble = Some(format!(
            "make check-series failed ({status}); what is wrong stands in what it said"
        ));
    }
    Ok(())
}

/// How many seconds a stress test goes on: what was asked for, else more than by day.
fn stress() -> String {
    const BY_NIGHT: &str = "20";
    std::env::var("STRESS")
        .ok()
        .filter(|seconds| !seconds.is_empty())
        .unwrap_or_else(|| BY_NIGHT.to_owned())
}

/// Runs a task of the cell to its end and reads what it has left as JSON; none where it ended before.
fn task<T: DeserializeOwned>(
    program: &Program,
    cell: &Cell,
    folder: &Folder,
    words: &[&str],
) -> Result<(ExitStatus, Option<T>)> {
    let scratch = folder.scratch()?;
    let result = scratch.path().join("result.json");
    let shown = result.display().to_string();
    let options = ["--config", &cell.config, "--json", &shown];
    let status = carry_out(program, cell, folder, &[words, &options].concat(), &scratch)?;
    Ok((status, read(&result, words[0])?))
}

/// Runs the program with `words` for a cell, to its end; what it says goes to the cell's log.
fn carry_out(
    program: &Program,
    cell: &Cell,
    folder: &Folder,
    words: &[&str],
    scratch: &TempDir,
) -> Result<ExitStatus> {
    let log_path = folder.of_cell(cell, "log");
    let log = File::options()
        .append(true)
        .create(true)
        .open(&log_path)
        .with_context(|| format!("cannot create {}", log_path.display()))?;
    let same_log = log
        .try_clone()
        .with_context(|| format!("cannot share {}", log_path.display()))?;
    // when this process is killed, what it has started must not run on
    let group = ProcessGroup::new(scratch.path())?;
    let mut command = Command::new(&program.0);
    command
        .args(words)
        .args(["--base", &cell.base])
        .args(["--arch", &cell.arch])
        // nobody is there to review, and one cell's new text must not be taken for another's
        .env("CI", "true")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(same_log);
    for name in NOT_FOR_CELLS {
        command.env_remove(name);
    }
    group
        .spawn(&mut command)
        .with_context(|| format!("cannot start {}", program.0.display()))?
        .wait()
        .with_context(|| format!("cannot wait for {}", program.0.display()))
}

/// What a task has written; none where it ended before.
fn read<T: DeserializeOwned>(path: &Path, task: &str) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("{} is no result of {task}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Why a cell's figures are not to be relied on, or not what they are to be: what is wrong with each
/// stands in what `bench` said.
fn bench_trouble(status: ExitStatus, bench: Option<&Bench>) -> Option<String> {
    match bench {
        None => Some(format!("make bench ended without figures ({status})")),
        Some(_) if !status.success() => {
            Some("make bench failed; the lines that say WRONG stand in what it said".to_owned())
        }
        Some(_) => None,
    }
}

/// Why a result is not to be relied on: exit status and result must say the same of this cell.
fn trouble(cell: &Cell, status: ExitStatus, result: Option<&RunResult>) -> Option<String> {
    let Some(result) = result else {
        return Some(format!("it ended without a result ({status})"));
    };
    let on = &result.environment;
    let ran = Cell {
        base: on.base.clone(),
        arch: on.arch.clone(),
        config: on.config.clone(),
    };
    if ran != *cell {
        return Some(format!("its result is that of {ran}"));
    }
    if status.success() != result.passed {
        let said = if result.passed { "passed" } else { "failed" };
        return Some(format!(
            "its result says {said}, but it ended with {status}"
        ));
    }
    None
}

fn last_lines(log: &Path) -> Vec<String> {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(OUTPUT_LINES)..]
        .iter()
        .map(|&line| line.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::report::run_report::Environment;

    fn cell() -> Cell {
        Cell {
            base: "v6.12".to_owned(),
            arch: "x86_64".to_owned(),
            config: "debug".to_owned(),
        }
    }

    fn result(passed: bool) -> String {
        let result = RunResult {
            passed,
            environment: Environment {
                base: "v6.12".to_owned(),
                arch: "x86_64".to_owned(),
                config: "debug".to_owned(),
                ..Environment::default()
            },
            ..RunResult::default()
        };
        serde_json::to_string(&result).unwrap()
    }

    /// What comes of a cell whose boot-test is this script; `$json` is where its result goes.
    fn of(script: &str) -> CellRecord {
        with_bench(script, false)
    }

    /// The same; `bench`, too, is this script.
    fn with_bench(script: &str, bench: bool) -> CellRecord {
        of_cell(&cell(), script, bench)
    }

    fn of_cell(cell: &Cell, script: &str, bench: bool) -> CellRecord {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path().join("report")).unwrap();
        let path = dir.path().join("boot-test");
        let text = format!(
            "#!/bin/sh\nfor word; do [ \"$last\" = --json ] && json=$word; last=$word; done\n{script}\n"
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        run(&Program(path), cell, &folder, bench)
    }

    #[test]
    fn the_cell_of_a_series_checks_all_of_it() {
        let series = Cell {
            config: "series".to_owned(),
            ..cell()
        };
        let record = of_cell(&series, "exit 0", false);
        assert!(record.passed() && record.result.is_none(), "{record:?}");
        let record = of_cell(&series, "echo \"$@\"; exit 1", false);
        assert!(!record.passed());
        assert!(record.trouble.unwrap().contains("make check-series failed"));
        let words = "check-series --config plain --base v6.12 --arch x86_64";
        assert_eq!(record.output, [words]);
    }

    #[test]
    fn a_cell_passes_if_its_result_and_its_exit_status_say_so() {
        let write = |passed| format!("echo '{}' >\"$json\"", result(passed));
        assert!(of(&write(true)).passed());
        let failed = of(&format!("{}; exit 1", write(false)));
        assert!(!failed.passed() && failed.trouble.is_none());
        let torn = of(&format!("{}; exit 1", write(true)));
        assert!(
            torn.trouble
                .is_some_and(|text| text.contains("says passed"))
        );
        let torn = of(&write(false));
        assert!(
            torn.trouble
                .is_some_and(|text| text.contains("says failed"))
        );
    }

    #[test]
    fn a_cell_that_ends_without_a_result_shows_what_it_said() {
        let record = of("echo \"error: no space\" >&2; exit 1");
        assert_eq!(
            record.trouble.as_deref(),
            Some("it ended without a result (exit status: 1)")
        );
        assert_eq!(record.output, ["error: no space"]);
        let record = of("kill -9 $$");
        assert!(
            record
                .trouble
                .is_some_and(|text| text.contains("signal: 9"))
        );
        assert!(of("exit 0").trouble.is_some());
    }

    #[test]
    fn a_result_that_is_garbage_or_another_cells_is_trouble() {
        let record = of("echo '{\"passed\":' >\"$json\"");
        assert!(
            record
                .trouble
                .is_some_and(|text| text.contains("is no result of boot-test"))
        );
        let other = result(true).replace("debug", "plain");
        let record = of(&format!("echo '{other}' >\"$json\""));
        assert_eq!(
            record.trouble.as_deref(),
            Some("its result is that of v6.12-x86_64-plain")
        );
    }

    #[test]
    fn a_program_that_is_missing_is_trouble_of_the_cell() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path().join("report")).unwrap();
        let record = run(&Program(dir.path().join("none")), &cell(), &folder, false);
        assert!(
            record
                .trouble
                .is_some_and(|text| text.contains("cannot start"))
        );
    }

    #[test]
    fn a_cell_is_told_what_it_is_and_nothing_else() {
        let record = of("echo \"$@\"; echo \"CI=$CI\"; exit 3");
        let [arguments, ci] = &record.output[..] else {
            panic!("{record:?}");
        };
        let expected = format!("boot-test --stress {} --config debug --json ", stress());
        assert!(arguments.starts_with(&expected), "{arguments}");
        assert!(
            arguments.ends_with("--base v6.12 --arch x86_64"),
            "{arguments}"
        );
        assert_eq!(ci, "CI=true");
    }

    #[test]
    fn a_benchmark_that_fails_is_trouble_and_keeps_its_figures() {
        let figures = serde_json::to_string(&Bench::default()).unwrap();
        let script = |bench: &str| {
            format!(
                "case $1 in\nboot-test) echo '{}' >\"$json\" ;;\nbench) {bench} ;;\nesac",
                result(true)
            )
        };
        let write = format!("echo '{figures}' >\"$json\"");
        let record = with_bench(&script(&write), true);
        assert!(record.passed() && record.bench.is_some(), "{record:?}");
        assert!(with_bench(&script(&write), false).bench.is_none());
        let record = with_bench(&script(&format!("{write}; echo WRONG: x; exit 1")), true);
        assert!(!record.passed() && record.bench.is_some() && record.result.is_some());
        assert_eq!(record.output, ["WRONG: x"]);
        let record = with_bench(&script("exit 0"), true);
        assert!(
            record
                .trouble
                .is_some_and(|text| text.contains("without figures"))
        );
    }
}
