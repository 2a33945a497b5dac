// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Load, run, read: what a test does that names no scenario.

use std::os::fd::AsFd;

use anyhow::Result;

use super::TestCtx;
use crate::prog_run;
use crate::settings;
use crate::stream::{PATIENCE, Stream};

/// Runs the program as the test spec, waits for what it expects later, detaches, and reads both
/// streams to their ends.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let (spec, mut loaded) = (ctx.spec, ctx.load()?);
    let run = prog_run::run(&loaded.program()?, spec.repeat, spec.trigger.as_deref())?;
    let seen = &mut *ctx.seen;
    {
        let program = loaded.program()?;
        let fd = program.as_fd();
        Stream::Stdout.wait_for(fd, spec.wait_stdout, PATIENCE, &mut seen.stdout)?;
        Stream::Stderr.wait_for(fd, spec.wait_stderr, PATIENCE, &mut seen.stderr)?;
    }
    drop(run.link);
    loaded.detach_others();
    let program = loaded.program()?;
    Stream::Stdout.collect(program.as_fd(), &mut seen.stdout)?;
    Stream::Stderr.collect(program.as_fd(), &mut seen.stderr)?;
    if settings::by_bpftool() {
        ctx.note("both streams as `bpftool prog tracelog` showed them");
    }
    Ok(run.retval)
}
