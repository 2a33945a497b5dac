// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Load, run, read: what a test does without a scenario.

use std::os::fd::AsFd;

use anyhow::Result;

use crate::prog_run;
use crate::settings;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;
use crate::wait::{self, TIMEOUT};

/// Runs the program as the spec says, waits for text, detaches, and reads both streams to their
/// ends.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let (spec, mut loaded) = (ctx.spec, ctx.load()?);
    let run = prog_run::run(&loaded.program()?, spec.repeat, spec.trigger.as_deref())?;
    let output = &mut *ctx.output;
    {
        let program = loaded.program()?;
        let fd = program.as_fd();
        wait::for_bytes(
            Stream::Stdout,
            fd,
            spec.wait_stdout,
            TIMEOUT,
            &mut output.stdout,
        )?;
        wait::for_bytes(
            Stream::Stderr,
            fd,
            spec.wait_stderr,
            TIMEOUT,
            &mut output.stderr,
        )?;
    }
    drop(run.link);
    loaded.detach_others();
    let program = loaded.program()?;
    wait::drain(Stream::Stdout, program.as_fd(), &mut output.stdout)?;
    wait::drain(Stream::Stderr, program.as_fd(), &mut output.stderr)?;
    if settings::by_bpftool() {
        ctx.note("both streams as `bpftool prog tracelog` showed them");
    }
    Ok(run.retval)
}
