// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Writes the tables under `docs/generated/`, which pages of the documentation include, so that no
//! number of a run is typed by hand.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use fs_err as fs;

use crate::env::context::PLAIN;
use crate::env::markdown::{code, fence};
use crate::env::progress::seconds;
use crate::queue::base::REFERENCE;
use crate::report::bench::aims::Aims;
use crate::report::bench::{self, Bench};
use crate::report::mainline_diff;
use crate::report::nightly::{CellRecord, Nightly};
use crate::report::run_report::{Environment, RunResult};

/// The folder in a clone.
const FOLDER: &str = "docs/generated";

/// Writes `bench-<arch>.md`: the figures of `make bench`, with kernels, machine and date. Returns the
/// path.
///
/// # Errors
///
/// Where the file cannot be written.
pub fn write_bench(repo: &Path, bench: &Bench, aims: &Aims) -> Result<PathBuf> {
    let on = &bench.ours.environment;
    let text = format!(
        "{}Measured on {}.\n\n{}\n",
        head("make bench"),
        machine(on),
        fence("text", &bench::table(bench, aims))
    );
    write(repo, &format!("bench-{}.md", on.arch), &text)
}

/// Writes `nightly.md`: the cells of a night and the comparison with mainline; and the figures of
/// every cell that has some. Returns the paths.
///
/// # Errors
///
/// Where a file cannot be written.
pub fn write_nightly(repo: &Path, nightly: &Nightly, aims: &Aims) -> Result<Vec<PathBuf>> {
    let mut paths = vec![write(repo, "nightly.md", &nightly_text(nightly))?];
    for bench in nightly.cells.iter().filter_map(|cell| cell.bench.as_ref()) {
        if bench.mainline.is_some() && bench.troubles().is_empty() {
            paths.push(write_bench(repo, bench, aims)?);
        }
    }
    Ok(paths)
}

fn nightly_text(nightly: &Nightly) -> String {
    let mut out = head("make nightly");
    let whole: f64 = nightly.cells.iter().map(|record| record.seconds).sum();
    let environment = nightly.cells.iter().find_map(environment);
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{}: {} cells in {}{}.\n",
        nightly.date,
        nightly.cells.len(),
        duration(whole),
        environment.map_or_else(String::new, |on| format!(", on {}", machine(on)))
    );
    out.push_str(
        "| cell | verdict | tests passed | kernel | time |\n| --- | --- | --- | --- | --- |\n",
    );
    for record in &nightly.cells {
        let verdict = if record.passed() { "passed" } else { "FAILED" };
        let result = record.result.as_ref();
        let _ = writeln!(
            out,
            "| {} | {verdict} | {} | {} | {} |",
            code(&record.cell.to_string()),
            result.map_or_else(|| "-".to_owned(), RunResult::counts),
            environment_of(result).map_or_else(|| "-".to_owned(), |on| code(&on.kernel)),
            duration(record.seconds)
        );
    }
    let compared: Vec<String> = nightly
        .cells
        .iter()
        .filter_map(|record| compared(nightly, record))
        .collect();
    if !compared.is_empty() {
        out.push_str("\n| compared with mainline | tests |\n| --- | --- |\n");
        compared.iter().for_each(|line| out.push_str(line));
    }
    out
}

/// How many tests of a plain cell give in mainline what they give in the cell; none where mainline
/// was not run.
fn compared(nightly: &Nightly, record: &CellRecord) -> Option<String> {
    let of_mainline = |other: &&CellRecord| {
        other.cell.base == REFERENCE
            && other.cell.arch == record.cell.arch
            && other.cell.config == PLAIN
    };
    if record.cell.base == REFERENCE || record.cell.config != PLAIN {
        return None;
    }
    let mainline = nightly.cells.iter().find(of_mainline)?.result.as_ref()?;
    let rows = mainline_diff::rows(record.result.as_ref()?, mainline);
    let cell = code(&record.cell.to_string());
    Some(format!("| {cell} | {} |\n", mainline_diff::counts(&rows)))
}

fn environment(record: &CellRecord) -> Option<&Environment> {
    environment_of(record.result.as_ref())
}

fn environment_of(result: Option<&RunResult>) -> Option<&Environment> {
    result.map(|result| &result.environment)
}

fn head(command: &str) -> String {
    format!(
        "<!-- SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause -->\n\
         <!-- Written by `{command}`; do not edit. -->\n\n"
    )
}

/// The machine and the commit of a run.
fn machine(on: &Environment) -> String {
    let mut parts = vec![
        on.machine.clone(),
        on.accelerator.clone(),
        on.qemu.clone(),
        on.commit.as_ref().map_or_else(String::new, |commit| {
            let changed = if on.dirty == Some(true) {
                " with changes"
            } else {
                ""
            };
            format!("commit {}{changed}", code(&commit[..commit.len().min(12)]))
        }),
    ];
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

fn duration(time: f64) -> String {
    seconds(Duration::try_from_secs_f64(time).unwrap_or_default())
}

fn write(repo: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let folder = repo.join(FOLDER);
    let path = folder.join(name);
    let written = || -> io::Result<()> {
        fs::create_dir_all(&folder)?;
        fs::write(&path, text)
    };
    written()?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::bench::tests::bench;
    use crate::report::matrix::Cell;
    use crate::report::run_report::TestOutcome;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn figures_are_written_with_kernels_machine_and_date() {
        let dir = tempfile::tempdir().unwrap();
        let mut bench = bench(
            &[("a__x", &["7 instructions"])],
            &[("a__x", &["9 instructions"])],
        );
        bench.ours.environment.machine = "2 CPUs".to_owned();
        bench.ours.environment.kernel = "6.12.117-bpf-streams".to_owned();
        bench.ours.environment.date = "2026-11-30".to_owned();
        let path = write_bench(dir.path(), &bench, &Aims::default()).unwrap();
        assert!(path.ends_with("docs/generated/bench-arm64.md"), "{path:?}");
        let text = read(&path);
        for want in [
            "Written by `make bench`",
            "on 2 CPUs",
            "a__x",
            "6.12.117",
            "2026-11-30",
        ] {
            assert!(text.contains(want), "{want}\n{text}");
        }
    }

    #[test]
    fn a_night_is_written_with_its_cells_and_the_comparison() {
        let dir = tempfile::tempdir().unwrap();
        let cell = |base: &str, text: &str| CellRecord {
            cell: Cell {
                base: base.to_owned(),
                arch: "x86_64".to_owned(),
                config: PLAIN.to_owned(),
            },
            seconds: 90.0,
            result: Some(RunResult {
                passed: true,
                tests: vec![TestOutcome {
                    test: "a__x".to_owned(),
                    passed: true,
                    outcome: Some("returned 0".to_owned()),
                    text: Some(text.to_owned()),
                    ..TestOutcome::default()
                }],
                ..RunResult::default()
            }),
            ..CellRecord::default()
        };
        let nightly = Nightly::new(vec![cell("v6.12", "one"), cell(REFERENCE, "one")]);
        let paths = write_nightly(dir.path(), &nightly, &Aims::default()).unwrap();
        assert_eq!(paths.len(), 1);
        let text = read(&paths[0]);
        for want in [
            "2 cells in 3 min 00 s",
            "| `v6.12-x86_64-plain` | passed | 1 of 1 |",
            "| `v6.12-x86_64-plain` | 1 the same, 0 different",
        ] {
            assert!(text.contains(want), "{want}\n{text}");
        }
        assert!(
            !text.contains("| `mainline-x86_64-plain` | 1 the same"),
            "{text}"
        );
    }
}
