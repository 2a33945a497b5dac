// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The end of the file: the program has been freed, although descriptors are open, and all text was
//! read.

use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};
use libbpf_rs::Program;

use crate::errno;
use crate::poll;
use crate::scenario::blocked::TIMEOUT;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// Frees the program with text left in both streams, and reads to the end.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, 2)
}

/// For a program that prints nothing, or cannot print.
pub fn run_silent(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_with(ctx, 0)
}

fn run_with(ctx: &mut TestCtx<'_>, lines: u32) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    for stream in Stream::ALL {
        let program = wanted::copy(&loaded)?;
        let id = Program::id_from_fd(program.as_fd()).context("cannot get the program's id")?;
        let blocking = StreamFd::open_blocking(program.as_fd(), stream)?;
        let other = StreamFd::open(program.as_fd(), stream)?;
        let end = other.drain(&mut Vec::new())?;
        ctx.note(format!("{stream} before: {}, {end}", events(&other)?));
        wanted::print(program.as_fd(), stream, lines)?;
        drop(program);
        other.wait_for_hangup(TIMEOUT)?;
        ensure!(
            Program::fd_from_id(id).is_err(),
            "the program still exists, and only a descriptor of its {stream} is open"
        );
        ctx.note(format!("the program freed: {}", events(&other)?));
        let text = match stream {
            Stream::Stdout => &mut ctx.output.stdout,
            Stream::Stderr => &mut ctx.output.stderr,
        };
        let mut part = [0; 3];
        let count = blocking.read(&mut part).context("cannot read a part")?;
        text.extend_from_slice(&part[..count]);
        let first = format!("{count} bytes read: {}", events(&other)?);
        let end = other.drain(text)?;
        ctx.note(first);
        ctx.note(format!("all read: {}, {end}", events(&other)?));
        let again = errno::describe_result(&blocking.read(&mut part));
        ctx.note(format!("a blocking read: {again}"));
        let nothing = errno::describe_result(&blocking.read(&mut []));
        ctx.note(format!("a read of 0 bytes: {nothing}"));
    }
    Ok(None)
}

fn events(descriptor: &StreamFd) -> Result<String> {
    let events = poll::now(descriptor.as_fd()).context("poll")?;
    Ok(poll::describe(events))
}
