// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! All descriptors of a stream, their duplicates and the read command share one position.

use std::io;
use std::os::fd::AsFd;

use anyhow::{Context, Result};

use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// Reads a part by each, and the rest when the first descriptor is closed.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let first = StreamFd::open(fd, Stream::Stdout)?;
    let second = StreamFd::open(fd, Stream::Stdout)?;
    let stderr = StreamFd::open(fd, Stream::Stderr)?;
    let duplicate = first
        .as_fd()
        .try_clone_to_owned()
        .context("cannot duplicate the descriptor")?;
    let duplicate = StreamFd::of(duplicate, Stream::Stdout);
    wanted::print(fd, Stream::Stdout, 4)?;
    wanted::print(fd, Stream::Stderr, 1)?;
    type Read<'a> = &'a dyn Fn(&mut [u8]) -> io::Result<usize>;
    let readers: [(&str, Read<'_>); 4] = [
        ("first descriptor", &|buffer| first.read(buffer)),
        ("second descriptor", &|buffer| second.read(buffer)),
        ("duplicate of the first", &|buffer| duplicate.read(buffer)),
        ("read command", &|buffer| Stream::Stdout.read(fd, buffer)),
    ];
    for (who, read) in readers {
        let mut part = [0; 3];
        let count = read(&mut part).with_context(|| format!("cannot read by the {who}"))?;
        let text = String::from_utf8_lossy(&part[..count]);
        ctx.note(format!("{who}: {text:?}"));
        ctx.output.stdout.extend_from_slice(&part[..count]);
    }
    drop(first);
    let end = duplicate.drain(&mut ctx.output.stdout)?;
    ctx.note(format!(
        "the rest by the duplicate, the first being closed: {end}"
    ));
    ctx.note(format!(
        "second descriptor: {}",
        second.drain(&mut Vec::new())?
    ));
    stderr.drain(&mut ctx.output.stderr)?;
    Ok(None)
}
