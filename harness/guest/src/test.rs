// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs one test and reports its result.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use anyhow::{Result, anyhow};
use wire::{Bytes, Outcome, TestReport};

use crate::channel::Channel;
use crate::discover::Test;
use crate::feature;
use crate::headroom::Headroom;
use crate::load::Rejection;
use crate::scenario;
use crate::test_ctx::{Output, TestCtx};

/// Runs the test. Every error in it, including a panic, becomes part of the report.
pub fn run(test: &Test, headroom: &Headroom, channel: &mut Channel) -> TestReport {
    let begun = Instant::now();
    let mut output = Output::default();
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        headroom.wait()?;
        attempt(test, channel, &mut output)
    }));
    let outcome = match attempt {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => not_run(error),
        Err(panic) => Outcome::Failed {
            error: format!("the agent panicked: {}", panic_text(panic.as_ref())),
        },
    };
    TestReport {
        test: test.name.clone(),
        outcome,
        stdout: Bytes(output.stdout),
        stderr: Bytes(output.stderr),
        not_in_mainline: test
            .spec
            .as_ref()
            .ok()
            .and_then(|spec| spec.not_in_mainline.clone()),
        notes: output.notes,
        micros: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
    }
}

/// Runs the program as its spec says, if all required features are available.
fn attempt(test: &Test, channel: &mut Channel, output: &mut Output) -> Result<Outcome> {
    let spec = test.spec.as_ref().map_err(|mistake| anyhow!("{mistake}"))?;
    for feature in &spec.requires {
        if !feature::is_available(feature)? {
            return Ok(Outcome::Skipped {
                feature: feature.clone(),
            });
        }
    }
    let scenario = scenario::find(spec.scenario.as_deref())?;
    let retval = scenario(&mut TestCtx {
        test,
        spec,
        channel,
        output,
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
        .unwrap_or("no message")
}
