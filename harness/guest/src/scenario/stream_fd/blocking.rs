// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Readers that sleep in a read: what wakes them, and what the read returns.

use std::fs::File;
use std::io::{self, IoSliceMut, Read};
use std::os::fd::AsFd;
use std::thread;

use anyhow::{Result, ensure};

use crate::errno;
use crate::scenario::blocked::{Blocked, INTERRUPT, RESTART, first_result};
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// Wakes a reader of each stream by a print, and by the end of the program; interrupts it.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    for stream in Stream::ALL {
        let program = wanted::copy(&loaded)?;
        let fd = program.as_fd();
        let descriptor = StreamFd::open_blocking(fd, stream)?;
        note_read(ctx, &format!("{stream}, a print"), &descriptor, |_| {
            wanted::print(fd, stream, 1)
        })?;
        note_read(ctx, "a signal", &descriptor, |reader| {
            reader.signal(INTERRUPT)
        })?;
        note_read(
            ctx,
            "an empty print, a signal that restarts the read, a print",
            &descriptor,
            |reader| {
                wanted::print_empty(fd, 1)?;
                reader.signal(RESTART)?;
                reader.wait_until_asleep()?;
                ensure!(reader.is_blocked()?, "the read was not restarted");
                wanted::print(fd, stream, 1)
            },
        )?;
        note_vectored(ctx, &descriptor, || wanted::print(fd, stream, 1))?;
        note_read(ctx, "the program freed", &descriptor, |_| {
            drop(program);
            Ok(())
        })?;
    }
    Ok(None)
}

/// Frees a program that cannot print while readers of its streams sleep.
pub fn run_silent(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    for stream in Stream::ALL {
        let program = wanted::copy(&loaded)?;
        let descriptor = StreamFd::open_blocking(program.as_fd(), stream)?;
        note_read(ctx, &format!("{stream}, a signal"), &descriptor, |reader| {
            reader.signal(INTERRUPT)
        })?;
        note_read(ctx, "the program freed", &descriptor, |_| {
            drop(program);
            Ok(())
        })?;
    }
    Ok(None)
}

/// Two readers sleep. Each line wakes one of them, or both, of which one sleeps again.
pub fn run_two(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let descriptors = [
        StreamFd::open_blocking(fd, Stream::Stdout)?,
        StreamFd::open_blocking(fd, Stream::Stdout)?,
    ];
    thread::scope(|scope| {
        let mut readers = descriptors
            .iter()
            .map(|descriptor| Blocked::start(scope, || descriptor.read(&mut [0; 64])))
            .collect::<Result<Vec<_>>>()?;
        for line in ["first", "second"] {
            wanted::print(fd, Stream::Stdout, 1)?;
            let result = first_result(&mut readers, "a reader gets the line")?;
            ctx.note(format!(
                "{line} line: a reader got {}",
                errno::describe_result(&result)
            ));
            for reader in &readers {
                reader.wait_until_asleep()?;
            }
        }
        Ok(None)
    })
}

/// Makes something happen while a thread sleeps in a read, and notes what the read returned.
fn note_read(
    ctx: &mut TestCtx<'_>,
    what: &str,
    descriptor: &StreamFd,
    happen: impl FnOnce(&Blocked<io::Result<usize>>) -> Result<()>,
) -> Result<()> {
    let result = thread::scope(|scope| {
        let reader = Blocked::start(scope, || descriptor.read(&mut [0; 64]))?;
        happen(&reader)?;
        reader.result(what)
    })?;
    ctx.note(format!("{what}: {}", errno::describe_result(&result)));
    Ok(())
}

/// As [`note_read`], in a `readv()` whose first buffer is filled by the line.
fn note_vectored(
    ctx: &mut TestCtx<'_>,
    descriptor: &StreamFd,
    print: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let file = File::from(descriptor.as_fd().try_clone_to_owned()?);
    let result = thread::scope(|scope| {
        let reader = Blocked::start(scope, || {
            let (mut first, mut second) = ([0; wanted::LINE], [0; 64]);
            let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
            (&file).read_vectored(&mut buffers)
        })?;
        print()?;
        reader.result("readv returns the line")
    })?;
    ctx.note(format!(
        "readv, a print that fills the first buffer: {}",
        errno::describe_result(&result)
    ));
    Ok(())
}
