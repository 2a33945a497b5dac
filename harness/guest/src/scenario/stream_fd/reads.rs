// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What reads return: parts of records, nothing, several records, and errors after which no text is
//! lost.

use std::fs::File;
use std::io::{self, IoSliceMut, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::thread;

use anyhow::{Context, Result, ensure};

use crate::errno;
use crate::scenario::blocked::Blocked;
use crate::scenario::partly_unmapped::Pages;
use crate::scenario::wanted::{self, LINE};
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// Makes the reads with a blocking descriptor, which must not block: there is text, or nothing is
/// asked for.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let stdout = StreamFd::open_blocking(fd, Stream::Stdout)?;
    let mut text = Vec::new();
    note_read(ctx, "0 bytes of an empty stream", &stdout, 0, &mut text)?;

    wanted::print(fd, Stream::Stdout, 3)?;
    note_read(ctx, "0 bytes of three lines", &stdout, 0, &mut text)?;
    for _ in 0..3 {
        note_read(ctx, "3 bytes", &stdout, 3, &mut text)?;
    }
    note_read(ctx, "64 bytes", &stdout, 64, &mut text)?;
    check_lines(&text, 3)?;

    wanted::print(fd, Stream::Stdout, 1)?;
    for (what, at, length) in [
        ("a buffer at NULL", 0, 64),
        ("a buffer in the kernel", usize::MAX - 4095, 64),
    ] {
        let result = read_at(stdout.as_fd(), at as *mut u8, length);
        ctx.note(format!("{what}: {}", errno::describe_result(&result)));
    }
    let pages = Pages::map()?;
    let mut text = Vec::new();
    for mapped in [3, 0] {
        let (result, copied) = pages.fill(mapped, |buffer| {
            read_at(stdout.as_fd(), buffer.as_mut_ptr(), buffer.len())
        });
        let result = match result {
            Ok(count) if (1..=mapped).contains(&count) => "some of them".to_owned(),
            other => errno::describe_result(&other),
        };
        ctx.note(format!("{mapped} of 64 bytes mapped: {result}"));
        text.extend_from_slice(copied);
    }
    let mut rest = [0; 64];
    let count = stdout.read(&mut rest).context("cannot read stdout")?;
    text.extend_from_slice(&rest[..count]);
    check_lines(&text, 1)?;
    ctx.note("the text is complete");
    Ok(None)
}

/// Reads of more than `INT_MAX` bytes into a buffer that is as long as the text.
pub fn run_lengths(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let stdout = StreamFd::open_blocking(program.as_fd(), Stream::Stdout)?;
    for (what, length) in [
        ("2^31 - 1", (1 << 31) - 1),
        ("2^31", 1 << 31),
        ("2^32 - 1", u32::MAX as usize),
        ("2^32 + 1", (1 << 32) + 1),
    ] {
        wanted::print(program.as_fd(), Stream::Stdout, 2)?;
        // not on the stack, which may end less than 2^32 bytes below the end of user space: EFAULT
        let mut text = vec![0; 2 * LINE];
        let result = read_at(stdout.as_fd(), text.as_mut_ptr(), length);
        check_lines(&text, 2)?;
        ctx.note(format!(
            "length {what}: {}",
            errno::describe_result(&result)
        ));
    }
    Ok(None)
}

/// Reads into several buffers at once. A call that has read something must not wait for more,
/// wherever the text ends.
pub fn run_vectors(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let stdout = StreamFd::open_blocking(fd, Stream::Stdout)?;
    let file = File::from(stdout.as_fd().try_clone_to_owned()?);
    for sizes in [[3, 64], [LINE, 64], [2 * LINE, 64], [0, 64], [1, 1]] {
        wanted::print(fd, Stream::Stdout, 2)?;
        let (mut first, mut second) = (vec![0; sizes[0]], vec![0; sizes[1]]);
        let read = thread::scope(|scope| {
            let reader = Blocked::start_running(scope, || {
                let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
                (&file).read_vectored(&mut buffers)
            })?;
            reader.result("readv returns what there is")
        })?
        .context("readv")?;
        let mut text = [first, second].concat();
        text.truncate(read);
        ctx.note(format!("{sizes:?}: {read} bytes"));
        if read < 2 * LINE {
            let mut rest = [0; 64];
            let count = stdout.read(&mut rest).context("cannot read stdout")?;
            text.extend_from_slice(&rest[..count]);
        }
        check_lines(&text, 2)?;
    }
    Ok(None)
}

fn note_read(
    ctx: &mut TestCtx<'_>,
    what: &str,
    stdout: &StreamFd,
    size: usize,
    text: &mut Vec<u8>,
) -> Result<()> {
    let mut buffer = vec![0; size];
    let result = stdout.read(&mut buffer);
    ctx.note(format!("{what}: {}", errno::describe_result(&result)));
    text.extend_from_slice(&buffer[..result.context("cannot read stdout")?]);
    Ok(())
}

fn check_lines(text: &[u8], lines: usize) -> Result<()> {
    ensure!(
        text == b"text\n".repeat(lines),
        "expected {lines} lines, read {:?}",
        String::from_utf8_lossy(text)
    );
    Ok(())
}

/// Reads to an address that need not be a valid one.
fn read_at(fd: BorrowedFd<'_>, at: *mut u8, length: usize) -> io::Result<usize> {
    // SAFETY: the kernel must detect what it cannot write to; the caller's buffer has room for all
    // text of the stream.
    let ret = unsafe { libc::read(fd.as_raw_fd(), at.cast(), length) };
    usize::try_from(ret).map_err(|_| io::Error::last_os_error())
}
