// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `events.jsonl`: the guest's lines as received; after the line of each test, the parsed kernel
//! reports of its stderr:
//!
//! ```json
//! {"test":"a__x","event":"kernel_report","kind":"arena_fault","access":"read","address":"0x10000",…}
//! {"test":"a__x","event":"reports_suppressed","count":12}
//! ```

use std::io::Write;

use anyhow::Result;
use reports::Item;
use serde::Serialize;
use wire::FromGuest;

use super::Report;

/// An item of the kernel in the stderr of a test.
#[derive(Serialize)]
struct ReportEvent<'a> {
    test: &'a str,
    #[serde(flatten)]
    item: &'a Item,
}

/// The content of the file.
pub(super) fn of(lines: &[&[u8]], report: &Report) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for line in lines {
        out.extend_from_slice(line);
        let Some(line) = line.strip_suffix(b"\n") else {
            continue;
        };
        if let Ok(FromGuest::Test(test)) = serde_json::from_slice(line) {
            add(&mut out, &test.test, report)?;
        }
    }
    Ok(out)
}

/// The kernel's reports in `test`; none for a test that was not announced.
fn add(out: &mut Vec<u8>, test: &str, report: &Report) -> Result<()> {
    let result = report.tests.iter().find(|result| result.name == test);
    for item in result.iter().flat_map(|result| &result.kernel) {
        serde_json::to_writer(&mut *out, &ReportEvent { test, item })?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
