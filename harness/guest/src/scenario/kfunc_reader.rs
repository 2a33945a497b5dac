// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The program `drain` of the same object reads the streams of the test's own program with kfuncs,
//! and passes the text on in a ring buffer.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, anyhow, ensure};

use self::drain::Drain;
use super::tally_reports;
use crate::load::Loaded;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

mod drain;

/// More elements than a stream holds.
const ALL: u32 = 1 << 20;

/// Runs the program, drains both streams, and notes what is left for the system call.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let drain = Drain::of(&loaded)?;
    let retval = prog_run::run_fd(loaded.program()?.as_fd())?;
    ctx.output.stdout = drain.take(Stream::Stdout, ALL)?;
    ctx.output.stderr = drain.take(Stream::Stderr, ALL)?;
    note_left(ctx, &loaded)?;
    Ok(Some(retval))
}

/// Reads a part with the system call, one element with the program, and the rest with the system
/// call.
pub fn run_alternating(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let drain = Drain::of(&loaded)?;
    let retval = prog_run::run_fd(loaded.program()?.as_fd())?;
    let mut part = [0; 5];
    let count = Stream::Stdout
        .read(loaded.program()?.as_fd(), &mut part)
        .map_err(|error| Stream::Stdout.read_error(&error))?;
    let turns = [
        ("the system call", part[..count].to_vec()),
        ("the program", drain.take(Stream::Stdout, 1)?),
    ];
    for (reader, text) in turns {
        ctx.note(format!("{reader}: {:?}", String::from_utf8_lossy(&text)));
        ctx.output.stdout.extend(text);
    }
    Stream::Stdout.drain(loaded.program()?.as_fd(), &mut ctx.output.stdout)?;
    Ok(Some(retval))
}

/// Runs the program as often as the spec says, and drains its reports after each run.
pub fn run_reports(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let drain = Drain::of(&loaded)?;
    let mut retval = None;
    for number in 1..=ctx.spec.repeat {
        retval = Some(prog_run::run_fd(loaded.program()?.as_fd())?);
        let text = drain.take(Stream::Stderr, ALL)?;
        if number > 1 {
            let note = tally_reports::note_later_run(&text, number)?;
            ctx.note(note);
            continue;
        }
        let notes = tally_reports::tally(&text, &mut ctx.output.stderr)?;
        ctx.note(format!("run {number}:"));
        ctx.output.notes.extend(notes);
    }
    note_left(ctx, &loaded)?;
    Ok(retval)
}

/// Two threads run the program, which prints single bytes; one thread reads with the system call,
/// and this thread drains. Each byte must be read exactly once.
pub fn run_concurrent(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    const WRITERS: usize = 2;
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let drain = Drain::of(&loaded)?;
    let writing = AtomicUsize::new(WRITERS);
    let write = || {
        let printed = prog_run::run_fd(fd);
        writing.fetch_sub(1, Ordering::Release);
        printed
    };
    let read = || {
        let mut text = Vec::new();
        loop {
            let more_may_come = writing.load(Ordering::Acquire) > 0;
            Stream::Stdout.drain(fd, &mut text)?;
            if !more_may_come {
                return anyhow::Ok(text);
            }
        }
    };
    let (printed, text) = thread::scope(|scope| {
        let writers = [(); WRITERS].map(|()| scope.spawn(write));
        let reader = scope.spawn(read);
        let mut text = Vec::new();
        while writing.load(Ordering::Acquire) > 0 {
            text.extend(drain.take(Stream::Stdout, ALL)?);
        }
        text.extend(reader.join().map_err(|_| anyhow!("a thread panicked"))??);
        let mut printed = 0;
        for writer in writers {
            printed += writer.join().map_err(|_| anyhow!("a thread panicked"))??;
        }
        anyhow::Ok((printed, text))
    })?;
    check_bytes(&text, usize::try_from(printed)?)?;
    ctx.note(format!("{printed} bytes were printed, and each taken once"));
    Ok(None)
}

/// The program prints every byte value equally often.
fn check_bytes(text: &[u8], printed: usize) -> Result<()> {
    const KINDS: std::ops::Range<u8> = b'0'..b'0' + 64;
    ensure!(
        text.len() == printed,
        "{} bytes were read, {printed} were printed",
        text.len()
    );
    for kind in KINDS {
        let count = text.iter().filter(|byte| **byte == kind).count();
        ensure!(
            count == printed / KINDS.len(),
            "byte {kind} was read {count} times"
        );
    }
    Ok(())
}

/// Notes what the system call reads after the program has drained the streams.
fn note_left(ctx: &mut TestCtx<'_>, loaded: &Loaded) -> Result<()> {
    let program = loaded.program()?;
    let mut left = Vec::new();
    for stream in Stream::ALL {
        stream.drain(program.as_fd(), &mut left)?;
    }
    ctx.note(format!("left for the system call: {} bytes", left.len()));
    Ok(())
}
