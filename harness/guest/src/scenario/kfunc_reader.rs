// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The program `drain` of the same object takes text out of the streams of the test's own program and
//! passes it on in a ring buffer.

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

/// As many elements as there are.
const ALL: u32 = 1 << 20;

/// Runs the program, drains both streams, and looks what is left for the system call.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let drain = Drain::of(&loaded)?;
    let retval = prog_run::run_fd(loaded.program()?.as_fd())?;
    ctx.output.stdout = drain.take(Stream::Stdout, ALL)?;
    ctx.output.stderr = drain.take(Stream::Stderr, ALL)?;
    note_left(ctx, &loaded)?;
    Ok(Some(retval))
}

/// A part by the system call, one element by the program, the rest by the system call again.
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
    for (who, text) in turns {
        ctx.note(format!("{who}: {:?}", String::from_utf8_lossy(&text)));
        ctx.output.stdout.extend(text);
    }
    Stream::Stdout.drain(loaded.program()?.as_fd(), &mut ctx.output.stdout)?;
    Ok(Some(retval))
}

/// Runs the program as often as the test spec, and drains its reports after each.
pub fn run_reports(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let drain = Drain::of(&loaded)?;
    let mut retval = None;
    for number in 1..=ctx.spec.repeat {
        retval = Some(prog_run::run_fd(loaded.program()?.as_fd())?);
        let text = drain.take(Stream::Stderr, ALL)?;
        let notes = tally_reports::tally(&text, &mut ctx.output.stderr)?;
        ctx.note(format!("run {number}:"));
        ctx.output.notes.extend(notes);
    }
    note_left(ctx, &loaded)?;
    Ok(retval)
}

/// Two threads run the program, which prints single bytes; one reads, and this one drains. Each byte
/// comes as often as it was printed.
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

/// The program prints as many of each kind of byte.
fn check_bytes(text: &[u8], printed: usize) -> Result<()> {
    const KINDS: std::ops::Range<u8> = b'0'..b'0' + 64;
    ensure!(
        text.len() == printed,
        "{} bytes were taken, {printed} were printed",
        text.len()
    );
    for kind in KINDS {
        let count = text.iter().filter(|byte| **byte == kind).count();
        ensure!(
            count == printed / KINDS.len(),
            "byte {kind} was taken {count} times"
        );
    }
    Ok(())
}

/// Notes what the system call finds when the program has been drained.
fn note_left(ctx: &mut TestCtx<'_>, loaded: &Loaded) -> Result<()> {
    let program = loaded.program()?;
    let mut left = Vec::new();
    for stream in Stream::ALL {
        stream.drain(program.as_fd(), &mut left)?;
    }
    ctx.note(format!("left for the system call: {} bytes", left.len()));
    Ok(())
}
