// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs one cell: `boot-test` and, if planned, `bench`, each in a process of its own, so that a crash
//! does not stop the next cell.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::{CellRecord, Folder};
use crate::env::context::{AccelChoice, PLAIN};
use crate::report::bench::Bench;
use crate::report::matrix::Cell;
use crate::report::run_report::RunResult;
use crate::vm::machine::process_group::ProcessGroup;

/// Lines of a failed cell's output in the report.
const OUTPUT_LINES: usize = 100;

/// How cells run.
#[derive(Clone, Copy, Debug)]
pub struct CellPlan {
    /// Whether the cell runs the benchmark, too.
    pub measure: bool,
    /// How many seconds each stress test runs.
    pub stress: u64,
    /// How QEMU runs the guest.
    pub accel: AccelChoice,
}

/// The program that runs the tasks of a cell.
#[derive(Clone, Debug)]
pub struct Program(pub PathBuf);

impl Program {
    /// This program.
    ///
    /// # Errors
    ///
    /// Where the path of this program cannot be found.
    pub fn this() -> Result<Self> {
        std::env::current_exe()
            .map(Self)
            .context("cannot find out which program this is")
    }
}

/// Runs a cell as planned and returns its record; the output goes to `cells/<cell>.log`. A cell that
/// cannot be run is a failed cell, so the rest of the matrix still runs.
pub fn run(program: &Program, cell: &Cell, folder: &Folder, plan: &CellPlan) -> CellRecord {
    let begun = Instant::now();
    let mut record = CellRecord {
        cell: cell.clone(),
        ..CellRecord::default()
    };
    let outcome = folder.forget(cell).and_then(|()| match cell.is_series() {
        true => check_series(program, cell, folder, plan, &mut record),
        false => boot_test(program, cell, folder, plan, &mut record),
    });
    if let Err(error) = outcome {
        record.trouble = Some(format!("the cell could not be run: {error:#}"));
    }
    if plan.measure && record.trouble.is_none() {
        match task::<Bench>(program, cell, folder, plan, &["bench"]) {
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
    plan: &CellPlan,
    record: &mut CellRecord,
) -> Result<()> {
    let words = ["boot-test", "--stress", &plan.stress.to_string()];
    let (status, result) = task::<RunResult>(program, cell, folder, plan, &words)?;
    record.trouble = trouble(cell, status, result.as_ref());
    record.result = result;
    Ok(())
}

/// Runs the whole check of the series; its exit status is the result.
fn check_series(
    program: &Program,
    cell: &Cell,
    folder: &Folder,
    plan: &CellPlan,
    record: &mut CellRecord,
) -> Result<()> {
    let status = run_task(
        program,
        cell,
        folder,
        plan,
        &["check-series", "--config", PLAIN],
        &folder.scratch()?,
    )?;
    record.checked = status.success();
    if !record.checked {
        record.trouble = Some(format!(
            "make check-series failed ({status}); see its output"
        ));
    }
    Ok(())
}

/// Runs a task of the cell and reads its JSON result; none where the task wrote none.
fn task<T: DeserializeOwned>(
    program: &Program,
    cell: &Cell,
    folder: &Folder,
    plan: &CellPlan,
    words: &[&str],
) -> Result<(ExitStatus, Option<T>)> {
    let scratch = folder.scratch()?;
    let result = scratch.path().join("result.json");
    let shown = result.display().to_string();
    let options = ["--config", &cell.config, "--json", &shown];
    let words_and_options = [words, &options].concat();
    let status = run_task(program, cell, folder, plan, &words_and_options, &scratch)?;
    Ok((status, read(&result, words[0])?))
}

/// Runs the program with `words` for a cell; the output goes to the cell's log.
fn run_task(
    program: &Program,
    cell: &Cell,
    folder: &Folder,
    plan: &CellPlan,
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
    // the task must not outlive this process
    let group = ProcessGroup::new(scratch.path())?;
    let mut command = Command::new(&program.0);
    command
        .args(words)
        .args(["--base", &cell.base])
        .args(["--arch", &cell.arch])
        .args(["--accel", accel_name(plan.accel)])
        // no cell may write texts for review: a text of one cell would replace that of another
        .env("CI", "true")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(same_log);
    group
        .spawn(&mut command)
        .with_context(|| format!("cannot start {}", program.0.display()))?
        .wait()
        .with_context(|| format!("cannot wait for {}", program.0.display()))
}

/// The name of `accel` on the command line.
fn accel_name(accel: AccelChoice) -> &'static str {
    match accel {
        AccelChoice::Auto => "auto",
        AccelChoice::Kvm => "kvm",
        AccelChoice::Tcg => "tcg",
    }
}

/// The JSON result of a task; none where the task wrote none.
fn read<T: DeserializeOwned>(path: &Path, task: &str) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("{} is not a result of {task}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Why the benchmark of a cell failed; the output of `bench` has the details.
fn bench_trouble(status: ExitStatus, bench: Option<&Bench>) -> Option<String> {
    match bench {
        None => Some(format!("make bench ended without figures ({status})")),
        Some(_) if !status.success() => {
            Some("make bench failed; see the lines with WRONG in its output".to_owned())
        }
        Some(_) => None,
    }
}

/// Why a result is invalid: exit status and result must agree, and belong to this cell.
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
        return Some(format!("its result is `{said}`, but its exit is {status}"));
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

    use super::*;
    use crate::report::run_report::Environment;
    use crate::test_support::write_executable;

    fn cell() -> Cell {
        Cell {
            base: "v6.12".to_owned(),
            arch: "x86_64".to_owned(),
            config: "debug".to_owned(),
        }
    }

    fn plan(measure: bool) -> CellPlan {
        CellPlan {
            measure,
            stress: 7,
            accel: AccelChoice::Tcg,
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

    /// The record of a cell whose boot-test is this script; `$json` is the path of its result.
    fn of(script: &str) -> CellRecord {
        with_bench(script, false)
    }

    /// The same, where `bench` is this script, too.
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
        write_executable(&path, text);
        run(&Program(path), cell, &folder, &plan(bench))
    }

    #[test]
    fn the_cell_of_a_series_runs_the_whole_check() {
        let series = Cell {
            config: "series".to_owned(),
            ..cell()
        };
        let record = of_cell(&series, "exit 0", false);
        assert!(record.passed() && record.result.is_none(), "{record:?}");
        let record = of_cell(&series, "echo \"$@\"; exit 1", false);
        assert!(!record.passed());
        assert!(record.trouble.unwrap().contains("make check-series failed"));
        let words = "check-series --config plain --base v6.12 --arch x86_64 --accel tcg";
        assert_eq!(record.output, [words]);
    }

    #[test]
    fn a_cell_passes_if_result_and_exit_status_agree() {
        let write = |passed| format!("echo '{}' >\"$json\"", result(passed));
        assert!(of(&write(true)).passed());
        let failed = of(&format!("{}; exit 1", write(false)));
        assert!(!failed.passed() && failed.trouble.is_none());
        let torn = of(&format!("{}; exit 1", write(true)));
        assert!(
            torn.trouble
                .is_some_and(|text| text.contains("is `passed`"))
        );
        let torn = of(&write(false));
        assert!(
            torn.trouble
                .is_some_and(|text| text.contains("is `failed`"))
        );
    }

    #[test]
    fn a_cell_without_a_result_shows_its_output() {
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
    fn an_invalid_result_or_one_of_another_cell_is_trouble() {
        let record = of("echo '{\"passed\":' >\"$json\"");
        assert!(
            record
                .trouble
                .is_some_and(|text| text.contains("is not a result of boot-test"))
        );
        let other = result(true).replace("debug", "plain");
        let record = of(&format!("echo '{other}' >\"$json\""));
        assert_eq!(
            record.trouble.as_deref(),
            Some("its result is that of v6.12-x86_64-plain")
        );
    }

    #[test]
    fn a_missing_program_is_trouble_of_the_cell() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path().join("report")).unwrap();
        let program = Program(dir.path().join("none"));
        let record = run(&program, &cell(), &folder, &plan(false));
        assert!(
            record
                .trouble
                .is_some_and(|text| text.contains("cannot start"))
        );
    }

    #[test]
    fn a_cell_gets_its_flags_and_ci() {
        let record = of("echo \"$@\"; echo \"CI=$CI\"; exit 3");
        let [arguments, ci] = &record.output[..] else {
            panic!("{record:?}");
        };
        let expected = "boot-test --stress 7 --config debug --json ";
        assert!(arguments.starts_with(expected), "{arguments}");
        assert!(
            arguments.ends_with("--base v6.12 --arch x86_64 --accel tcg"),
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
