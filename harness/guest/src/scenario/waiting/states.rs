// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What poll and epoll say at once, as text comes and goes.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, ensure};

use super::{at_once, print, waiter};
use crate::poll;
use crate::scenario::Stage;
use crate::stream::Stream;

/// Prints and reads, and notes after each step what there is.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let loaded = stage.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    note(stage, fd, "at the beginning")?;
    print(fd, 1, 0)?;
    note(stage, fd, "a print to stdout")?;
    print(fd, 0, 1)?;
    note(stage, fd, "a print to stderr")?;
    let mut part = [0; 2];
    let count = Stream::Stdout
        .read(fd, &mut part)
        .map_err(|error| Stream::Stdout.explain(&error))?;
    stage.seen.stdout.extend_from_slice(&part[..count]);
    note(stage, fd, "a part of stdout read")?;
    Stream::Stdout.drain(fd, &mut stage.seen.stdout)?;
    note(stage, fd, "the rest of stdout read")?;
    Stream::Stderr.drain(fd, &mut stage.seen.stderr)?;
    note(stage, fd, "stderr read")?;
    Ok(None)
}

/// Notes what poll says, which epoll must say, too, of the events that it is asked for.
fn note(stage: &mut Stage<'_>, program: BorrowedFd<'_>, step: &str) -> Result<()> {
    let events = poll::now(program).context("poll")?;
    let wanted = poll::STDOUT | poll::STDERR;
    let epoll = at_once(&waiter(program, wanted)?)?;
    ensure!(
        epoll == poll::describe(events & wanted),
        "{step}: poll says {}, epoll says {epoll}",
        poll::describe(events)
    );
    stage.note(format!("{step}: {}", poll::describe(events)));
    Ok(())
}
