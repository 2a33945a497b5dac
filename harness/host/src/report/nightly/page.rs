// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The report as one HTML page without scripts, network access or other files.

use anyhow::{Context as _, Result};
use askama::Template;

use super::Nightly;
use super::view::{CellState, View, id};

/// `templates/nightly.html`; askama escapes every value.
#[derive(Template)]
#[template(path = "nightly.html")]
struct Page<'a> {
    view: View<'a>,
}

/// The page of a sanitised report.
pub fn render(nightly: &Nightly) -> Result<String> {
    Page {
        view: View::of(nightly)?,
    }
    .render()
    .context("cannot write the page of the report")
}

impl Page<'_> {
    /// The cells, in words.
    fn where_in(&self, cells: &[usize]) -> String {
        match (cells, self.view.cells.len()) {
            ([_], 1) => "in the cell".to_owned(),
            (all, count) if all.len() == count => format!("the same in all {count} cells"),
            ([one], _) => format!("in cell {one}"),
            (several, _) => {
                let numbers: Vec<String> = several.iter().map(ToString::to_string).collect();
                format!("the same in cells {}", numbers.join(", "))
            }
        }
    }

    fn counts(&self) -> String {
        let selftests: usize = self
            .view
            .files
            .iter()
            .map(|file| file.selftests.len())
            .sum();
        let marks = self.view.files.iter().flat_map(|file| &file.selftests);
        let runs = marks
            .flat_map(|selftest| &selftest.marks)
            .filter(|mark| mark.state != CellState::Absent)
            .count();
        format!("{selftests} tests, {runs} runs")
    }
}
