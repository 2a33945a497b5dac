// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The report in Markdown, for the summary of a workflow: cells and failures.

use anyhow::{Context as _, Result};
use askama::Template;

use super::Nightly;
use super::view::View;
use crate::env::diff;
use crate::env::markdown::{code, fence};

/// Failures shown in full: GitHub truncates a large summary.
const MOST_FAILURES: usize = 20;
/// Lines of a text in the summary.
const MOST_LINES: usize = 60;

/// `templates/summary.md`. askama does not escape Markdown, so values go through [`code`] and
/// [`fence`].
#[derive(Template)]
#[template(path = "summary.md", escape = "none")]
struct Summary<'a> {
    view: View<'a>,
}

/// The summary of a sanitised report.
pub fn render(nightly: &Nightly) -> Result<String> {
    Summary {
        view: View::of(nightly)?,
    }
    .render()
    .context("cannot write the summary of the report")
}

impl Summary<'_> {
    fn more(&self) -> usize {
        self.view.failures.len().saturating_sub(MOST_FAILURES)
    }
}

/// The first lines of a text, as a code block.
fn head(text: &str) -> String {
    fence("", &first_lines(text))
}

/// The last lines of an output, as a code block.
fn tail(lines: &[String]) -> String {
    fence(
        "",
        &lines[lines.len().saturating_sub(MOST_LINES)..].join("\n"),
    )
}

/// The first lines of a difference, as a code block.
fn difference(lines: &[diff::Line]) -> String {
    fence("diff", &first_lines(&diff::text(lines)))
}

fn first_lines(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().take(MOST_LINES + 1).collect();
    if let Some(beyond) = lines.get_mut(MOST_LINES) {
        *beyond = "…";
    }
    lines.join("\n")
}
