// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Reads that must fail, each by its own reason, and then the text as it was printed: a read that
//! failed took nothing away.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use anyhow::{Context, Result};

use super::Stage;
use crate::errno;
use crate::runner;
use crate::stream::Stream;

/// Number of `BPF_PROG_STREAM_READ_BY_FD`.
const COMMAND: libc::c_long = 37;

/// `union bpf_attr` of the command, and some bytes after its fields.
#[repr(C)]
struct Attr {
    buffer: u64,
    length: u32,
    stream: u32,
    program: u32,
    after: u32,
}

/// Runs the program once, tries every bad read, and reads the text.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let loaded = stage.load()?;
    let program = loaded.program()?;
    let run = runner::run(&program, 1, None)?;
    let mut buffer = [0u8; 64];
    let no_program = File::open("/dev/zero").context("cannot open /dev/zero")?;
    for (what, attr) in bad_reads(&mut buffer, program.as_fd(), no_program.as_fd())? {
        let result = errno::describe_result(&read(&attr));
        stage.note(format!("{what}: {result}"));
    }
    Stream::Stdout.drain(program.as_fd(), &mut stage.seen.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut stage.seen.stderr)?;
    Ok(run.retval)
}

fn bad_reads(
    buffer: &mut [u8; 64],
    program: BorrowedFd<'_>,
    no_program: BorrowedFd<'_>,
) -> Result<Vec<(&'static str, Attr)>> {
    let number = |fd: BorrowedFd<'_>| fd.as_raw_fd() as u32;
    let good = |buffer: u64| Attr {
        buffer,
        length: 64,
        stream: Stream::Stdout as u32,
        program: number(program),
        after: 0,
    };
    let at = buffer.as_mut_ptr() as u64;
    // closed at the end of this statement; nothing is opened until the number has been tried
    let closed = number(
        File::open("/dev/null")
            .context("cannot open /dev/null")?
            .as_fd(),
    );
    Ok(vec![
        (
            "stream 0",
            Attr {
                stream: 0,
                ..good(at)
            },
        ),
        (
            "stream 3",
            Attr {
                stream: 3,
                ..good(at)
            },
        ),
        (
            "stream 2^32 - 1",
            Attr {
                stream: u32::MAX,
                ..good(at)
            },
        ),
        (
            "length 0",
            Attr {
                length: 0,
                ..good(at)
            },
        ),
        (
            "length 2^31",
            Attr {
                length: 1 << 31,
                ..good(at)
            },
        ),
        (
            "length 2^32 - 1",
            Attr {
                length: u32::MAX,
                ..good(at)
            },
        ),
        (
            "a byte that is not zero after the fields",
            Attr {
                after: 1,
                ..good(at)
            },
        ),
        (
            "a closed fd",
            Attr {
                program: closed,
                ..good(at)
            },
        ),
        (
            "fd -1",
            Attr {
                program: u32::MAX,
                ..good(at)
            },
        ),
        (
            "an fd that is no program's",
            Attr {
                program: number(no_program),
                ..good(at)
            },
        ),
        ("buffer at NULL", good(0)),
        ("buffer in the kernel", good(u64::MAX - 4095)),
    ])
}

fn read(attr: &Attr) -> io::Result<usize> {
    // SAFETY: the kernel reads the struct; what it writes to is ours, or must be refused by it.
    let ret = unsafe { libc::syscall(libc::SYS_bpf, COMMAND, attr, size_of::<Attr>()) };
    usize::try_from(ret).map_err(|_| io::Error::last_os_error())
}
