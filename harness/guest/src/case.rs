// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs one case and tells what it did.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use anyhow::{Result, anyhow};
use wire::{Bytes, CaseReport, Outcome};

use crate::catalogue::Case;
use crate::channel::Channel;
use crate::feature;
use crate::headroom::Headroom;
use crate::load::Rejection;
use crate::scenario::{self, Stage};

/// What was seen of a case; it stays when the case fails half-way.
#[derive(Default)]
pub struct Seen {
    /// What stdout gave so far.
    pub stdout: Vec<u8>,
    /// What stderr gave so far.
    pub stderr: Vec<u8>,
    /// What the scenario noted.
    pub notes: Vec<String>,
}

/// Runs the case. Whatever goes wrong in it, the report tells; the next case begins afresh.
pub fn run(case: &Case, headroom: &Headroom, channel: &mut Channel) -> CaseReport {
    let begun = Instant::now();
    let mut seen = Seen::default();
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        headroom.wait()?;
        attempt(case, channel, &mut seen)
    }));
    let outcome = match attempt {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => not_run(error),
        Err(panic) => Outcome::Failed {
            error: format!("the agent panicked: {}", panic_text(panic.as_ref())),
        },
    };
    CaseReport {
        case: case.name.clone(),
        outcome,
        stdout: Bytes(seen.stdout),
        stderr: Bytes(seen.stderr),
        not_in_mainline: case
            .wishes
            .as_ref()
            .ok()
            .and_then(|wishes| wishes.not_in_mainline.clone()),
        notes: seen.notes,
        micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
    }
}

/// Runs the program as the case wishes, where what it needs is here.
fn attempt(case: &Case, channel: &mut Channel, seen: &mut Seen) -> Result<Outcome> {
    let wishes = case
        .wishes
        .as_ref()
        .map_err(|mistake| anyhow!("{mistake}"))?;
    for feature in &wishes.needs {
        if !feature::is_here(feature)? {
            return Ok(Outcome::NotHere {
                feature: feature.clone(),
            });
        }
    }
    let scenario = scenario::find(wishes.scenario.as_deref())?;
    let retval = scenario(&mut Stage {
        case,
        wishes,
        channel,
        seen,
    })?;
    Ok(Outcome::Ran { retval })
}

fn not_run(error: anyhow::Error) -> Outcome {
    match error.downcast::<Rejection>() {
        Ok(Rejection { errno, log }) => Outcome::Rejected { errno, log },
        Err(error) => Outcome::Failed {
            error: format!("{error:#}"),
        },
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a text")
}
