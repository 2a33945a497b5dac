// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The matrix of CI: every base on every architecture in every configuration.
//!
//! Bases, architectures and configurations are the folders and fragments that lie there;
//! `ci/matrix.toml` holds only what cannot be derived from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::env::arch::Arch;
use crate::env::context::PLAIN;
use crate::queue::base::REFERENCE;

/// One cell of the matrix: what `make boot-test BASE=… ARCH=… CONFIG=…` runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// A folder under `patches/`.
    pub base: String,
    /// Name of an architecture.
    pub arch: String,
    /// `plain`, or a fragment of `kernel-config/`.
    pub config: String,
}

impl fmt::Display for Cell {
    /// The name of the cell, as `CELL=` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.base, self.arch, self.config)
    }
}

/// What the cell of a base's series has instead of a configuration.
const SERIES: &str = "series";

impl Cell {
    /// Whether the cell is no boot-test but `make check-series` of its base.
    #[must_use]
    pub fn is_series(&self) -> bool {
        self.config == SERIES
    }
}

/// The cells, and where a workflow runs each.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// In the order of bases, configurations and architectures: the quick ones first.
    pub cells: Vec<Cell>,
    runner: BTreeMap<String, String>,
    patience: BTreeMap<String, u32>,
}

/// `ci/matrix.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    runner: BTreeMap<String, String>,
    #[serde(default)]
    patience: BTreeMap<String, u32>,
    #[serde(default)]
    without: Vec<Without>,
}

/// Cells that there are not; a field that is missing stands for all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Without {
    base: Option<String>,
    arch: Option<String>,
    config: Option<String>,
    reason: String,
}

impl Without {
    fn takes(&self, cell: &Cell) -> bool {
        let fits = |wish: &Option<String>, is: &String| wish.as_ref().is_none_or(|wish| wish == is);
        fits(&self.base, &cell.base)
            && fits(&self.arch, &cell.arch)
            && fits(&self.config, &cell.config)
    }
}

impl Matrix {
    /// The matrix of the clone `repo`.
    ///
    /// # Errors
    ///
    /// Where a folder cannot be read, or `ci/matrix.toml` says what is not so.
    pub fn of(repo: &Path) -> Result<Matrix> {
        let path = repo.join("ci/matrix.toml");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let file: File = toml::from_str(&text)
            .with_context(|| format!("{} is not as expected", path.display()))?;
        let fragments = fragments(&repo.join("kernel-config"))?;
        let bases = bases(&repo.join("patches"))?;
        let mut matrix = combine(&bases, &fragments, file)
            .with_context(|| format!("{} does not fit what lies there", path.display()))?;
        for base in bases {
            if base != REFERENCE && repo.join("patches").join(&base).join("series").is_file() {
                matrix.add_series(&base);
            }
        }
        Ok(matrix)
    }

    /// Adds the cell that checks the series of `base`: once, on the first architecture, as the check
    /// compiles for all of them.
    fn add_series(&mut self, base: &str) {
        let first = self.cells.iter().find(|cell| cell.base == base);
        if let Some(arch) = first.map(|cell| cell.arch.clone()) {
            self.cells.push(Cell {
                base: base.to_owned(),
                arch,
                config: SERIES.to_owned(),
            });
        }
    }

    /// The matrix as a workflow's `strategy` takes it.
    #[must_use]
    pub fn strategy(&self) -> impl Serialize {
        let include = |cell: &Cell| Entry {
            name: cell.to_string(),
            runner: self.runner.get(&cell.arch).cloned().unwrap_or_default(),
            cell: Cell {
                // the variables of make, which knows no such configuration
                config: match cell.is_series() {
                    true => PLAIN.to_owned(),
                    false => cell.config.clone(),
                },
                ..cell.clone()
            },
        };
        BTreeMap::from([(
            "include",
            self.cells.iter().map(include).collect::<Vec<Entry>>(),
        )])
    }

    /// How many times longer than a plain kernel's everything may take in this configuration.
    #[must_use]
    pub fn patience(&self, config: &str) -> u32 {
        self.patience.get(config).copied().unwrap_or(1)
    }

    /// Whether the costs of the cell's kernel are taken, too: of a plain one that has mainline beside
    /// it.
    #[must_use]
    pub fn is_measured(&self, cell: &Cell) -> bool {
        let mainline = Cell {
            base: REFERENCE.to_owned(),
            ..cell.clone()
        };
        cell.config == PLAIN && cell.base != REFERENCE && self.cells.contains(&mainline)
    }

    /// The cell of this name.
    ///
    /// # Errors
    ///
    /// Where there is none; the error lists those that there are.
    pub fn find(&self, name: &str) -> Result<&Cell> {
        self.cells
            .iter()
            .find(|cell| cell.to_string() == name)
            .with_context(|| {
                let names: Vec<String> = self.cells.iter().map(Cell::to_string).collect();
                format!("the matrix has no cell {name}; it has {}", names.join(", "))
            })
    }
}

/// A job of a workflow.
#[derive(Serialize)]
struct Entry {
    name: String,
    runner: String,
    #[serde(flatten)]
    cell: Cell,
}

fn combine(bases: &[String], fragments: &BTreeSet<String>, file: File) -> Result<Matrix> {
    let (archs, configs) = split(fragments);
    for arch in &archs {
        ensure!(
            file.runner.contains_key(arch),
            "[runner] says nothing of {arch}, for which there is a fragment"
        );
    }
    let mut cells = Vec::new();
    for base in bases {
        for config in &configs {
            for arch in &archs {
                cells.push(Cell {
                    base: base.clone(),
                    arch: arch.clone(),
                    config: config.clone(),
                });
            }
        }
    }
    for without in &file.without {
        ensure!(
            !without.reason.trim().is_empty(),
            "an entry of [[without]] gives no reason: {without:?}"
        );
        let before = cells.len();
        cells.retain(|cell| !without.takes(cell));
        ensure!(
            cells.len() < before,
            "an entry of [[without]] takes no cell out: {without:?}; remove it, or mend its names"
        );
    }
    ensure!(!cells.is_empty(), "no cell is left");
    for (config, factor) in &file.patience {
        ensure!(
            configs.contains(config) && *factor > 0,
            "[patience] says {factor} of {config}; expected a factor above 0 of a configuration"
        );
    }
    Ok(Matrix {
        cells,
        runner: file.runner,
        patience: file.patience,
    })
}

/// Which fragments are architectures, and the configurations with [`PLAIN`] as the first.
fn split(fragments: &BTreeSet<String>) -> (Vec<String>, Vec<String>) {
    // in the order in which the harness names them, not in that of the alphabet
    let archs: Vec<String> = Arch::ALL
        .iter()
        .map(ToString::to_string)
        .filter(|arch| fragments.contains(arch))
        .collect();
    let others = fragments
        .iter()
        .filter(|name| *name != "base" && !archs.contains(name))
        .cloned();
    let configs = std::iter::once(PLAIN.to_owned()).chain(others).collect();
    (archs, configs)
}

/// The bases: the folders of `patches/` that hold a `base.json`.
fn bases(patches: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = entries(patches)?
        .into_iter()
        .filter(|name| patches.join(name).join("base.json").is_file())
        .collect();
    // what the repository is about comes first
    names.sort_by_key(|name| (name == REFERENCE, name.clone()));
    Ok(names)
}

/// The names of the fragments.
fn fragments(dir: &Path) -> Result<BTreeSet<String>> {
    Ok(entries(dir)?
        .into_iter()
        .filter_map(|name| name.strip_suffix(".config").map(str::to_owned))
        .collect())
}

fn entries(dir: &Path) -> Result<Vec<String>> {
    let read = || -> std::io::Result<Vec<String>> {
        dir.read_dir()?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    };
    read().with_context(|| format!("cannot read {}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNERS: &str = "[runner]\nx86_64 = 'x'\narm64 = 'a'\n";

    fn matrix(fragments: &[&str], without: &str) -> Result<Vec<String>> {
        let file = toml::from_str(&format!("{RUNNERS}{without}"))?;
        let fragments = fragments.iter().map(|&name| name.to_owned()).collect();
        let matrix = combine(&["v6.12".to_owned()], &fragments, file)?;
        Ok(matrix.cells.iter().map(Cell::to_string).collect())
    }

    #[test]
    fn what_lies_there_is_the_matrix() {
        assert_eq!(
            matrix(&["base", "x86_64", "arm64", "debug"], "").unwrap(),
            [
                "v6.12-x86_64-plain",
                "v6.12-arm64-plain",
                "v6.12-x86_64-debug",
                "v6.12-arm64-debug"
            ]
        );
    }

    #[test]
    fn a_plain_kernel_that_mainline_stands_beside_is_measured() {
        let file = toml::from_str(&format!(
            "{RUNNERS}[[without]]\nbase='mainline'\narch='arm64'\nreason='why'"
        ));
        let bases = ["mainline", "v6.12"].map(str::to_owned);
        let fragments = ["x86_64", "arm64", "debug"].map(str::to_owned).into();
        let matrix = combine(&bases, &fragments, file.unwrap()).unwrap();
        let measured = matrix.cells.iter().filter(|cell| matrix.is_measured(cell));
        let names: Vec<String> = measured.map(Cell::to_string).collect();
        assert_eq!(names, ["v6.12-x86_64-plain"]);
    }

    #[test]
    fn what_there_is_not_is_left_out_with_a_reason() {
        let fragments = ["base", "x86_64", "arm64", "kcsan"];
        let without =
            |reason: &str| format!("[[without]]\narch='arm64'\nconfig='kcsan'\nreason='{reason}'");
        assert_eq!(
            matrix(&fragments, &without("why")).unwrap(),
            [
                "v6.12-x86_64-plain",
                "v6.12-arm64-plain",
                "v6.12-x86_64-kcsan"
            ]
        );
        let said = matrix(&fragments, &without(" ")).unwrap_err().to_string();
        assert!(said.contains("gives no reason"), "{said}");
    }

    #[test]
    fn an_entry_that_has_gone_stale_is_an_error() {
        let stale = "[[without]]\nconfig='kasan'\nreason='why'";
        let said = matrix(&["base", "x86_64"], stale).unwrap_err().to_string();
        assert!(said.contains("takes no cell out"), "{said}");
    }

    #[test]
    fn patience_is_of_configurations_that_there_are() {
        let of = |text: &str| {
            let file = toml::from_str(&format!("{RUNNERS}[patience]\n{text}")).unwrap();
            let fragments = ["x86_64", "debug"].map(str::to_owned).into();
            combine(&["v6.12".to_owned()], &fragments, file)
        };
        let matrix = of("debug = 6").unwrap();
        assert_eq!((matrix.patience("debug"), matrix.patience(PLAIN)), (6, 1));
        for wrong in ["kasan = 6", "debug = 0"] {
            let said = of(wrong).unwrap_err().to_string();
            assert!(said.contains("[patience] says"), "{said}");
        }
    }

    #[test]
    fn an_architecture_without_a_runner_is_an_error() {
        let file = toml::from_str("[runner]\narm64 = 'a'").unwrap();
        let fragments = BTreeSet::from(["x86_64".to_owned()]);
        let said = combine(&["v6.12".to_owned()], &fragments, file)
            .unwrap_err()
            .to_string();
        assert!(said.contains("nothing of x86_64"), "{said}");
    }

    #[test]
    fn this_clone_has_a_matrix_that_a_workflow_can_take() {
        let repo = crate::env::context::find_repo().unwrap();
        let matrix = Matrix::of(&repo).unwrap();
        let strategy = serde_json::to_value(matrix.strategy()).unwrap();
        let first = &strategy["include"][0];
        assert_eq!(first["name"], matrix.cells[0].to_string());
        assert_eq!(first["config"], PLAIN);
        assert!(
            first["runner"]
                .as_str()
                .is_some_and(|name| !name.is_empty())
        );
        assert_eq!(matrix.find("v6.12-x86_64-plain").unwrap(), &matrix.cells[0]);
        let series = matrix.cells.iter().position(Cell::is_series).unwrap();
        assert_eq!(matrix.cells[series].to_string(), "v6.12-x86_64-series");
        let entry = &strategy["include"][series];
        assert_eq!(entry["name"], "v6.12-x86_64-series");
        assert_eq!(entry["config"], PLAIN);
        let said = matrix.find("v5").unwrap_err().to_string();
        assert!(said.contains("it has v6.12-x86_64-plain"), "{said}");
    }
}
