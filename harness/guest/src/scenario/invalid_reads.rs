// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Reads that must fail, each for another reason. The text is still complete afterwards: a failed
//! read consumes nothing.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use anyhow::{Context, Result};

use crate::errno;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// `BPF_PROG_STREAM_READ_BY_FD`.
const COMMAND: libc::c_long = 37;

/// `union bpf_attr` of the command, and four bytes after its fields.
#[repr(C)]
struct Attr {
    buffer: u64,
    length: u32,
    stream: u32,
    program: u32,
    after: u32,
}

/// Returns the reads to try, given a buffer, a program, and an fd that is not a program.
type Attempts =
    fn(&mut [u8; 64], BorrowedFd<'_>, BorrowedFd<'_>) -> Result<Vec<(&'static str, Attr)>>;

/// Tries all invalid reads but those of invalid lengths.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    attempt(ctx, invalid_reads)
}

/// Tries lengths that do not fit an int.
pub fn run_lengths(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    attempt(ctx, |buffer, program, _| {
        let at = buffer.as_mut_ptr() as u64;
        let read = |length| Attr {
            length,
            ..valid_read(at, program)
        };
        Ok(vec![
            ("length 2^31", read(1 << 31)),
            ("length 2^32 - 1", read(u32::MAX)),
        ])
    })
}

/// Runs the program once, tries the reads, and reads the text.
fn attempt(ctx: &mut TestCtx<'_>, attempts: Attempts) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let run = prog_run::run(&program, 1, None)?;
    let mut buffer = [0u8; 64];
    let no_program = File::open("/dev/zero").context("cannot open /dev/zero")?;
    for (what, attr) in attempts(&mut buffer, program.as_fd(), no_program.as_fd())? {
        let result = errno::describe_result(&read(&attr));
        ctx.note(format!("{what}: {result}"));
    }
    Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    Ok(run.retval)
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd() as u32
}

/// A valid read.
fn valid_read(buffer: u64, program: BorrowedFd<'_>) -> Attr {
    Attr {
        buffer,
        length: 64,
        stream: Stream::Stdout as u32,
        program: number(program),
        after: 0,
    }
}

fn invalid_reads(
    buffer: &mut [u8; 64],
    program: BorrowedFd<'_>,
    no_program: BorrowedFd<'_>,
) -> Result<Vec<(&'static str, Attr)>> {
    let at = buffer.as_mut_ptr() as u64;
    let with = |change: &dyn Fn(&mut Attr)| {
        let mut attr = valid_read(at, program);
        change(&mut attr);
        attr
    };
    // closed at the end of this statement; nothing is opened before the number is used
    let closed = number(
        File::open("/dev/null")
            .context("cannot open /dev/null")?
            .as_fd(),
    );
    Ok(vec![
        ("stream 0", with(&|attr| attr.stream = 0)),
        ("stream 3", with(&|attr| attr.stream = 3)),
        ("stream 2^32 - 1", with(&|attr| attr.stream = u32::MAX)),
        ("length 0", with(&|attr| attr.length = 0)),
        (
            "a byte that is not zero after the fields",
            with(&|attr| attr.after = 1),
        ),
        ("a closed fd", with(&|attr| attr.program = closed)),
        ("fd -1", with(&|attr| attr.program = u32::MAX)),
        (
            "an fd that is no program's",
            with(&|attr| attr.program = number(no_program)),
        ),
        ("buffer at NULL", with(&|attr| attr.buffer = 0)),
        (
            "buffer in the kernel",
            with(&|attr| attr.buffer = u64::MAX - 4095),
        ),
    ])
}

fn read(attr: &Attr) -> io::Result<usize> {
    // SAFETY: the kernel reads the struct; the buffer is ours, or the kernel must reject it.
    let ret = unsafe { libc::syscall(libc::SYS_bpf, COMMAND, attr, size_of::<Attr>()) };
    usize::try_from(ret).map_err(|_| io::Error::last_os_error())
}
