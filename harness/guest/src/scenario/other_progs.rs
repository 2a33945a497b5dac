// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! As the plain scenario, and notes the streams of the programs that the test names.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};

use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Runs the program, detaches the others, and reads all streams.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let mut loaded = ctx.load()?;
    let run = prog_run::run(
        &loaded.program()?,
        ctx.spec.repeat,
        ctx.spec.trigger.as_deref(),
    )?;
    drop(run.link);
    loaded.detach_others();
    let program = loaded.program()?;
    Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    for name in &ctx.spec.load_with {
        note_streams(ctx, name, loaded.other(name)?.as_fd())?;
    }
    Ok(run.retval)
}

/// Notes the text of the program's streams, in which all reports must be complete.
pub fn note_streams(ctx: &mut TestCtx<'_>, name: &str, program: BorrowedFd<'_>) -> Result<()> {
    for stream in Stream::ALL {
        let mut text = Vec::new();
        stream.drain(program, &mut text)?;
        reports::parse(&text).with_context(|| format!("{stream} of {name}"))?;
        if text.is_empty() {
            ctx.note(format!("{stream} of {name}: empty"));
            continue;
        }
        ctx.note(format!("{stream} of {name}:"));
        for line in String::from_utf8_lossy(&text).lines() {
            ctx.note(line);
        }
    }
    Ok(())
}
