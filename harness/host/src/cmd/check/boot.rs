// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Boots the kernel after every patch that changes it: the guest agent must report and power off,
//! without a splat on the console.
//!
//! boot-test runs the tests, at the end of the series.

use std::time::Duration;

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::{Checkout, Findings, targets};
use crate::build::agent;
use crate::build::kconfig::{self, Requests};
use crate::build::kernel::{Build, Kernel};
use crate::env::context::Context;
use crate::env::guest_machine::GuestMachine;
use crate::judge::verdict::{self, Evidence, Expected, Fault};
use crate::queue::series::Series;
use crate::vm::machine::{self, RunSpec, StreamReader, Timeouts, Tools};

/// Boots after every patch, on the selected architecture.
pub fn check(checkout: &Checkout<'_>, series: &Series, findings: &mut Findings) -> Result<()> {
    let ctx = checkout.ctx;
    let requests = kconfig::load(&kconfig::fragments(ctx)?)?;
    let mut before = "base".to_owned();
    for (patch, commit) in series.patches.iter().zip(checkout.commits()?) {
        let touched = checkout.touched(&before, &commit)?;
        before.clone_from(&commit);
        if !touched
            .iter()
            .any(|file| targets::is_kernel(file, ctx.arch))
        {
            continue;
        }
        let key = checkout.build_key("boot", &[&commit], ctx, &requests)?;
        let passed = checkout.once(&key, findings, || {
            checkout.tree.check_out(&commit)?;
            patched(checkout, ctx, &requests, &patch.name)
        })?;
        if !passed {
            // later patches would fail for the same reason
            return Ok(());
        }
    }
    Ok(())
}

/// Builds and boots the checked-out tree, and returns the findings.
fn patched(
    checkout: &Checkout<'_>,
    ctx: &Context,
    requests: &Requests,
    name: &str,
) -> Result<Vec<String>> {
    let build = Build::named(ctx, checkout.tree.dir(), &format!("boot-{}", ctx.arch));
    let kernel = match build.kernel(requests, name) {
        Ok(kernel) => kernel,
        Err(error) => return Ok(vec![format!("{name}: {error:#}")]),
    };
    let faults = boot(ctx, &kernel, name)?;
    Ok(faults
        .into_iter()
        .map(|fault| format!("{name} does not boot on {}: {fault}", ctx.arch))
        .collect())
}

fn boot(ctx: &Context, kernel: &Kernel, name: &str) -> Result<Vec<Fault>> {
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let objects = scratch.path().join("objects");
    fs::create_dir(&objects)?;
    let stage = ctx.progress.stage("boot", format!("booting {name}"));
    let spec = RunSpec {
        image: kernel.image.clone(),
        arch: ctx.arch,
        machine: GuestMachine::of(ctx)?,
        objects,
        agent: agent::build(ctx)?,
        bpftool: None,
        test_progs: None,
        filter: None,
        run_dir: scratch.path().join("run"),
        cpus: machine::CPUS,
        icount: false,
        timeouts: Timeouts::of(1, Duration::ZERO),
        timeout_scale: 1,
        stress: Duration::ZERO,
        reader: StreamReader::Agent,
        tools: Tools::find(ctx)?,
    };
    let record = machine::run(ctx, &spec, &mut |_| ())?;
    let lines: Vec<&[u8]> = record.lines.iter().map(|line| line.0.as_slice()).collect();
    let stopped = record.end.stopped();
    let evidence = Evidence {
        lines: &lines,
        handed: &record.handed,
        console: &record.console,
        stopped: stopped.as_deref(),
    };
    let expected = Expected {
        release: Some(&kernel.release),
        machine: ctx.arch.names().machine,
        filter: None,
        features: &[],
    };
    let mut faults = verdict::judge(&[evidence], &expected).faults;
    // the run has no tests
    faults.retain(|fault| !matches!(fault, Fault::NoTests { .. }));
    if faults.is_empty() {
        stage.done(format!("{name} boots"));
    }
    Ok(faults)
}
