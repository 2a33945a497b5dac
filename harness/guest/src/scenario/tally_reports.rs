// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! For reports that are too many for a snapshot, or come from a process that differs between runs:
//! notes the number of reports of each kind and place instead of their text.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use reports::{Access, Frame, Item, Kind, Report};

use crate::test_ctx::Scenario;
use crate::test_ctx::TestCtx;

/// Runs the scenario, then replaces the reports in stderr by notes.
pub fn after(ctx: &mut TestCtx<'_>, run: Scenario) -> Result<Option<i64>> {
    let retval = run(ctx)?;
    let text = std::mem::take(&mut ctx.output.stderr);
    let notes = tally(&text, &mut ctx.output.stderr)?;
    ctx.output.notes.extend(notes);
    Ok(retval)
}

/// One line per kind and place with the number of its reports, then one line per notice about
/// suppressed reports. Lines that the program printed itself go to `own`.
///
/// # Errors
///
/// If a report is incomplete.
pub fn tally(stderr: &[u8], own: &mut Vec<u8>) -> Result<Vec<String>> {
    let items = reports::parse_with(stderr, |line| own.extend(format!("{line}\n").bytes()))
        .context("cannot parse a report in stderr")?;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut suppressed = Vec::new();
    for item in items {
        match item {
            Item::KernelReport(report) => *counts.entry(describe(&report)).or_default() += 1,
            Item::ReportsSuppressed { count } => {
                suppressed.push(format!("{count} suppressed"));
            }
        }
    }
    let mut notes: Vec<String> = counts
        .into_iter()
        .map(|(what, count)| format!("{count} x {what}"))
        .collect();
    notes.append(&mut suppressed);
    Ok(notes)
}

/// Numbers of printed and of suppressed reports.
///
/// # Errors
///
/// If a report is incomplete.
pub fn totals(stderr: &[u8]) -> Result<(u64, u64)> {
    let items = reports::parse(stderr).context("cannot parse a report in stderr")?;
    Ok(items
        .iter()
        .fold((0, 0), |(printed, suppressed), item| match item {
            Item::KernelReport(_) => (printed + 1, suppressed),
            Item::ReportsSuppressed { count } => (printed, suppressed + count),
        }))
}

/// The note for a run after one that has used up the burst of reports: how many are printed depends
/// on the time since then, but how many there are does not.
pub fn note_later_run(stderr: &[u8], number: u32) -> Result<String> {
    let (printed, suppressed) = totals(stderr)?;
    Ok(format!(
        "run {number}: {} reports were printed or suppressed",
        printed + suppressed
    ))
}

fn describe(report: &Report) -> String {
    let kind = match &report.kind {
        Kind::Stack => "stack",
        Kind::MayGotoTimeout => "may_goto time-out",
        Kind::ArenaFault { access, .. } => match access {
            Access::Read => "arena read",
            Access::Write => "arena write",
        },
        Kind::LockDeadlock(_) => "deadlock",
        Kind::LockTimeout(_) => "lock time-out",
    };
    format!(
        "{kind}{}",
        report.program_frame().map(place).unwrap_or_default()
    )
}

/// The program and its source line.
fn place(frame: &Frame) -> String {
    let name = frame.program.as_ref().map_or("", |program| &program.name);
    match &frame.source {
        Some(source) => format!(
            " in {name}: {} @ {}:{}",
            source.text, source.file, source.line
        ),
        None => format!(" in {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "CPU: 0 UID: 0 PID: 7 Comm: x\nCall trace:\n\
        bpf_prog_0123456789abcdef_f+0x1/0x2\n  x(); @ a.c:3\n\n";

    #[test]
    fn reports_are_counted_by_kind_and_place() {
        let text = format!(
            "own\n{DUMP}ERROR: Arena READ access at unmapped address 0x10\n{DUMP}{DUMP}\
             ... 3 further reports were suppressed\n"
        );
        let mut own = Vec::new();
        assert_eq!(
            tally(text.as_bytes(), &mut own).unwrap(),
            [
                "1 x arena read in f: x(); @ a.c:3",
                "2 x stack in f: x(); @ a.c:3",
                "3 suppressed"
            ]
        );
        assert_eq!(own, b"own\n");
    }

    #[test]
    fn an_incomplete_report_is_an_error() {
        let error = tally(DUMP.trim_end().as_bytes(), &mut Vec::new()).unwrap_err();
        assert!(format!("{error:#}").contains("the report is cut off"));
    }
}
