// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the program as often as the case wishes, reads after each run, and notes how many reports of
//! each kind and place there were.

use std::os::fd::AsFd;

use anyhow::{Result, ensure};

use super::{Stage, tally_reports};
use crate::load::Loaded;
use crate::runner;
use crate::stream::{PATIENCE, Stream};
use crate::sysctl::Limit;

/// Runs, reads, counts; and again.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let loaded = stage.load()?;
    let mut retval = None;
    for number in 1..=stage.wishes.run {
        let text;
        (retval, text) = run(stage, &loaded)?;
        let notes = tally_reports::tally(&text, &mut stage.seen.stderr)?;
        if stage.wishes.run > 1 {
            stage.note(format!("run {number}:"));
        }
        stage.seen.notes.extend(notes);
    }
    Ok(retval)
}

/// The same once, with room for 4096 bytes of unread text a stream; how many reports that is depends
/// on the architecture, so only that there are some is noted.
pub fn play_within_4096(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    const ROOM: usize = 4096;
    let limit = Limit::keep()?;
    limit.set(4096)?;
    let loaded = stage.load()?;
    let (retval, text) = run(stage, &loaded)?;
    let end = text
        .windows(4)
        .rposition(|window| window == b"... ")
        .unwrap_or(text.len());
    ensure!(end <= ROOM, "stderr gave {end} bytes, {ROOM} were allowed");
    let notes = tally_reports::tally(&text, &mut stage.seen.stderr)?;
    for note in notes {
        let (_, what) = note.split_once(' ').unwrap_or_default();
        stage.note(format!("some {what}"));
    }
    Ok(retval)
}

/// Runs the program once and reads; gives what it returned, and its stderr.
fn run(stage: &mut Stage<'_>, loaded: &Loaded) -> Result<(Option<i64>, Vec<u8>)> {
    let program = loaded.program()?;
    let fd = program.as_fd();
    let run = runner::run(&program, 1, stage.wishes.trigger.as_deref())?;
    let (await_stdout, stdout) = (stage.wishes.await_stdout, &mut stage.seen.stdout);
    Stream::Stdout.wait_for(fd, await_stdout, PATIENCE, stdout)?;
    drop(run.link);
    Stream::Stdout.drain(fd, stdout)?;
    let mut text = Vec::new();
    Stream::Stderr.drain(fd, &mut text)?;
    Ok((run.retval, text))
}
