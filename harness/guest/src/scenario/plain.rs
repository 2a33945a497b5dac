// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Load, run, read: what a case does that names no scenario.

use std::os::fd::AsFd;

use anyhow::Result;

use super::Stage;
use crate::runner;
use crate::settings;
use crate::stream::{PATIENCE, Stream};

/// Runs the program as the case wishes, waits for what it expects later, detaches, and reads both
/// streams to their ends.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let (wishes, mut loaded) = (stage.wishes, stage.load()?);
    let run = runner::run(&loaded.program()?, wishes.run, wishes.trigger.as_deref())?;
    let seen = &mut *stage.seen;
    {
        let program = loaded.program()?;
        let fd = program.as_fd();
        Stream::Stdout.wait_for(fd, wishes.await_stdout, PATIENCE, &mut seen.stdout)?;
        Stream::Stderr.wait_for(fd, wishes.await_stderr, PATIENCE, &mut seen.stderr)?;
    }
    drop(run.link);
    loaded.detach_others();
    let program = loaded.program()?;
    Stream::Stdout.collect(program.as_fd(), &mut seen.stdout)?;
    Stream::Stderr.collect(program.as_fd(), &mut seen.stderr)?;
    if settings::by_bpftool() {
        stage.note("both streams as `bpftool prog tracelog` showed them");
    }
    Ok(run.retval)
}
