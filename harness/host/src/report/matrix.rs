// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The matrix of CI: every base on every architecture in every configuration.
//!
//! A base is a folder of `patches/`, an architecture or a configuration is a fragment of
//! `kernel-config/`, and `<config>.machine` there names the only architectures of a configuration.
//! `ci/matrix.toml` holds only what cannot be derived from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::env::arch::Arch;
use crate::env::context::PLAIN;
use crate::env::guest_machine::GuestMachine;
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

/// The configuration in the name of the cell that checks the series of a base.
const SERIES: &str = "series";

impl Cell {
    /// Whether the cell runs `make check-series` instead of `make boot-test`.
    #[must_use]
    pub fn is_series(&self) -> bool {
        self.config == SERIES
    }
}

/// The cells, with the runner of each.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// In the order of bases, configurations and architectures: the quick ones first.
    pub cells: Vec<Cell>,
    runner: BTreeMap<String, String>,
    timeout_scale: BTreeMap<String, u32>,
}

/// `ci/matrix.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MatrixFile {
    runner: BTreeMap<String, String>,
    #[serde(default)]
    timeout_scale: BTreeMap<String, u32>,
    #[serde(default)]
    exclude: Vec<Exclusion>,
}

/// Cells that are excluded; a missing field matches every value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exclusion {
    base: Option<String>,
    arch: Option<String>,
    config: Option<String>,
    reason: String,
}

impl Exclusion {
    fn matches(&self, cell: &Cell) -> bool {
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
    /// Where a folder cannot be read, or `ci/matrix.toml` names an unknown cell.
    pub fn of(repo: &Path) -> Result<Matrix> {
        let path = repo.join("ci/matrix.toml");
        let text = fs::read_to_string(&path)?;
        let file: MatrixFile =
            toml::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))?;
        let folder = repo.join("kernel-config");
        let fragments = fragments(&folder)?;
        let bases = bases(&repo.join("patches"))?;
        let has = |config: &str, arch| Ok(GuestMachine::read(&folder, config)?.is_for(arch));
        let mut matrix = combine(&bases, &fragments, has, file).with_context(|| {
            format!(
                "{} does not fit the folders patches/ and kernel-config/",
                path.display()
            )
        })?;
        for base in bases {
            if base != REFERENCE && repo.join("patches").join(&base).join("series").is_file() {
                matrix.add_series(&base);
            }
        }
        Ok(matrix)
    }

    /// Adds the cell that checks the series of `base`, on the first architecture only: the check
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

    /// The matrix in the form of a workflow's `strategy`.
    #[must_use]
    pub fn strategy(&self) -> impl Serialize {
        let include = |cell: &Cell| StrategyEntry {
            name: cell.to_string(),
            runner: self.runner.get(&cell.arch).cloned().unwrap_or_default(),
            cell: Cell {
                // the flags of make: `series` is no configuration
                config: match cell.is_series() {
                    true => PLAIN.to_owned(),
                    false => cell.config.clone(),
                },
                ..cell.clone()
            },
        };
        BTreeMap::from([(
            "include",
            self.cells
                .iter()
                .map(include)
                .collect::<Vec<StrategyEntry>>(),
        )])
    }

    /// The factor of all time-outs in this configuration; 1 for the plain kernel.
    #[must_use]
    pub fn timeout_scale(&self, config: &str) -> u32 {
        self.timeout_scale.get(config).copied().unwrap_or(1)
    }

    /// Whether the cell runs the benchmark, too: a plain kernel with a mainline cell to compare with.
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
    /// Where there is none; the error lists all names.
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
struct StrategyEntry {
    name: String,
    runner: String,
    #[serde(flatten)]
    cell: Cell,
}

/// `has` tells whether an architecture has a configuration.
fn combine(
    bases: &[String],
    fragments: &BTreeSet<String>,
    has: impl Fn(&str, Arch) -> Result<bool>,
    file: MatrixFile,
) -> Result<Matrix> {
    let (archs, configs) = split(fragments);
    for arch in &archs {
        ensure!(
            file.runner.contains_key(&arch.to_string()),
            "[runner] has no entry for {arch}, for which there is a fragment"
        );
    }
    let mut cells = Vec::new();
    for base in bases {
        for config in &configs {
            for &arch in &archs {
                if has(config, arch)? {
                    cells.push(Cell {
                        base: base.clone(),
                        arch: arch.to_string(),
                        config: config.clone(),
                    });
                }
            }
        }
    }
    for exclusion in &file.exclude {
        ensure!(
            !exclusion.reason.trim().is_empty(),
            "an entry of [[exclude]] has no reason: {exclusion:?}"
        );
        let before = cells.len();
        cells.retain(|cell| !exclusion.matches(cell));
        ensure!(
            cells.len() < before,
            "an entry of [[exclude]] matches no cell: {exclusion:?}; correct its names or remove it"
        );
    }
    ensure!(!cells.is_empty(), "every cell is excluded");
    for (config, factor) in &file.timeout_scale {
        ensure!(
            configs.contains(config) && *factor > 0,
            "[timeout_scale] has {config} = {factor}; expected a configuration and a factor above 0"
        );
    }
    Ok(Matrix {
        cells,
        runner: file.runner,
        timeout_scale: file.timeout_scale,
    })
}

/// Which fragments are architectures, and the configurations with [`PLAIN`] as the first.
fn split(fragments: &BTreeSet<String>) -> (Vec<Arch>, Vec<String>) {
    // in the order of the harness, not of the alphabet
    let archs: Vec<Arch> = Arch::ALL
        .into_iter()
        .filter(|arch| fragments.contains(arch.names().name))
        .collect();
    let is_arch = |name: &str| archs.iter().any(|arch| arch.names().name == name);
    let others = fragments
        .iter()
        .filter(|name| *name != "base" && !is_arch(name))
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
    // the bases of a series come before mainline
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
    fs::read_dir(dir)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNERS: &str = "[runner]\nx86_64 = 'x'\narm64 = 'a'\n";

    fn everywhere(_: &str, _: Arch) -> Result<bool> {
        Ok(true)
    }

    fn matrix(fragments: &[&str], without: &str) -> Result<Vec<String>> {
        let file = toml::from_str(&format!("{RUNNERS}{without}"))?;
        let fragments = fragments.iter().map(|&name| name.to_owned()).collect();
        let matrix = combine(&["v6.12".to_owned()], &fragments, everywhere, file)?;
        Ok(matrix.cells.iter().map(Cell::to_string).collect())
    }

    #[test]
    fn folders_and_fragments_make_the_matrix() {
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
    fn an_architecture_without_a_configuration_has_no_cell() {
        let file = toml::from_str(RUNNERS).unwrap();
        let fragments = ["x86_64", "arm64", "tags"].map(str::to_owned).into();
        let has = |config: &str, arch| Ok(config != "tags" || arch == Arch::Arm64);
        let matrix = combine(&["v6.12".to_owned()], &fragments, has, file).unwrap();
        let names: Vec<String> = matrix.cells.iter().map(Cell::to_string).collect();
        assert_eq!(
            names,
            [
                "v6.12-x86_64-plain",
                "v6.12-arm64-plain",
                "v6.12-arm64-tags"
            ]
        );
    }

    #[test]
    fn a_plain_kernel_with_a_mainline_cell_is_measured() {
        let file = toml::from_str(&format!(
            "{RUNNERS}[[exclude]]\nbase='mainline'\narch='arm64'\nreason='why'"
        ));
        let bases = ["mainline", "v6.12"].map(str::to_owned);
        let fragments = ["x86_64", "arm64", "debug"].map(str::to_owned).into();
        let matrix = combine(&bases, &fragments, everywhere, file.unwrap()).unwrap();
        let measured = matrix.cells.iter().filter(|cell| matrix.is_measured(cell));
        let names: Vec<String> = measured.map(Cell::to_string).collect();
        assert_eq!(names, ["v6.12-x86_64-plain"]);
    }

    #[test]
    fn cells_are_excluded_with_a_reason() {
        let fragments = ["base", "x86_64", "arm64", "kcsan"];
        let without =
            |reason: &str| format!("[[exclude]]\narch='arm64'\nconfig='kcsan'\nreason='{reason}'");
        assert_eq!(
            matrix(&fragments, &without("why")).unwrap(),
            [
                "v6.12-x86_64-plain",
                "v6.12-arm64-plain",
                "v6.12-x86_64-kcsan"
            ]
        );
        let said = matrix(&fragments, &without(" ")).unwrap_err().to_string();
        assert!(said.contains("has no reason"), "{said}");
    }

    #[test]
    fn an_exclusion_that_matches_no_cell_is_an_error() {
        let stale = "[[exclude]]\nconfig='kasan'\nreason='why'";
        let said = matrix(&["base", "x86_64"], stale).unwrap_err().to_string();
        assert!(said.contains("matches no cell"), "{said}");
    }

    #[test]
    fn time_outs_are_scaled_for_known_configurations_only() {
        let of = |text: &str| {
            let file = toml::from_str(&format!("{RUNNERS}[timeout_scale]\n{text}")).unwrap();
            let fragments = ["x86_64", "debug"].map(str::to_owned).into();
            combine(&["v6.12".to_owned()], &fragments, everywhere, file)
        };
        let matrix = of("debug = 6").unwrap();
        assert_eq!(
            (matrix.timeout_scale("debug"), matrix.timeout_scale(PLAIN)),
            (6, 1)
        );
        for wrong in ["kasan = 6", "debug = 0"] {
            let said = of(wrong).unwrap_err().to_string();
            assert!(said.contains("[timeout_scale] has"), "{said}");
        }
    }

    #[test]
    fn an_architecture_without_a_runner_is_an_error() {
        let file = toml::from_str("[runner]\narm64 = 'a'").unwrap();
        let fragments = BTreeSet::from(["x86_64".to_owned()]);
        let said = combine(&["v6.12".to_owned()], &fragments, everywhere, file)
            .unwrap_err()
            .to_string();
        assert!(said.contains("no entry for x86_64"), "{said}");
    }

    #[test]
    fn the_matrix_of_this_clone_fits_a_workflow() {
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
