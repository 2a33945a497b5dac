// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Calls of `BPF_PROG_STREAM_OPEN` that must fail, each for another reason.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use anyhow::{Context, Result};

use super::by_btf;
use crate::errno;
use crate::scenario::open_files::OpenFiles;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::{COMMAND, NONBLOCK, OpenAttr, call};
use crate::test_ctx::TestCtx;

/// A flag of other commands that open something.
const BPF_F_RDONLY: u32 = 1 << 3;

/// The command before `BPF_PROG_STREAM_OPEN`, which not all kernels have.
const BEFORE: (&str, libc::c_long) = ("BPF_PROG_ASSOC_STRUCT_OPS", 38);

/// The attributes with four bytes after the fields, inside of `union bpf_attr`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Longer {
    attr: OpenAttr,
    after: u32,
}

/// More than `union bpf_attr`.
#[repr(C)]
#[derive(Clone, Copy)]
struct MuchLonger {
    attr: OpenAttr,
    after: [u32; 125],
}

/// The attributes without the flags.
#[repr(C)]
#[derive(Clone, Copy)]
struct Shorter {
    program: i32,
    stream: u32,
}

/// Makes all calls, and prints and reads a line by a descriptor that was opened with a short
/// attribute.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let valid = OpenAttr {
        program: program.as_fd().as_raw_fd(),
        stream: Stream::Stdout as u32,
        flags: NONBLOCK,
    };
    let no_program = File::open("/dev/zero").context("cannot open /dev/zero")?;
    let mut note = |what: &str, result: io::Result<OwnedFd>| {
        let result = result.map_or_else(|error| errno::describe(&error), |_| "opened".to_owned());
        ctx.note(format!("{what}: {result}"));
    };
    let with = |change: &dyn Fn(&mut OpenAttr)| {
        let mut attr = valid;
        change(&mut attr);
        call(COMMAND, &attr)
    };

    for flags in [
        0,
        NONBLOCK,
        2,
        BPF_F_RDONLY,
        NONBLOCK | BPF_F_RDONLY,
        1 << 31,
    ] {
        note(
            &format!("flags {flags:#x}"),
            with(&|attr| attr.flags = flags),
        );
    }
    for stream in [1, 2, 0, 3, u32::MAX] {
        note(
            &format!("stream {stream}"),
            with(&|attr| attr.stream = stream),
        );
    }
    // closed at the end of this statement; nothing is opened before the number is used
    let closed = File::open("/dev/null")
        .context("cannot open /dev/null")?
        .as_raw_fd();
    note("a closed fd", with(&|attr| attr.program = closed));
    note("fd -1", with(&|attr| attr.program = -1));
    note(
        "an fd that is no program's",
        with(&|attr| attr.program = no_program.as_raw_fd()),
    );
    let longer = |after| Longer { attr: valid, after };
    note("zeros after the fields", call(COMMAND, &longer(0)));
    note(
        "a byte that is not zero after the fields",
        call(COMMAND, &longer(1)),
    );
    let mut much_longer = MuchLonger {
        attr: valid,
        after: [0; 125],
    };
    note("zeros after all attributes", call(COMMAND, &much_longer));
    much_longer.after[124] = 1;
    note(
        "a byte that is not zero after all attributes",
        call(COMMAND, &much_longer),
    );
    {
        let _none = OpenFiles::allow_none()?;
        note("no more open files", call(COMMAND, &valid));
    }
    let (name, number) = BEFORE;
    match by_btf::find(name)? {
        // the kernel has the command: other attributes, not ours to test
        Some(_) => note(
            "command 38, where it is unknown",
            Err(libc_error(libc::EINVAL)),
        ),
        None => note("command 38, where it is unknown", call(number, &valid)),
    }
    let shorter = Shorter {
        program: valid.program,
        stream: valid.stream,
    };
    let opened = call(COMMAND, &shorter).context("cannot open with attributes without flags")?;
    wanted::print(program.as_fd(), Stream::Stdout, 1)?;
    let mut line = [0; 64];
    let count = crate::stream_fd::StreamFd::of(opened, Stream::Stdout)
        .read(&mut line)
        .context("cannot read stdout")?;
    ctx.output.stdout.extend_from_slice(&line[..count]);
    Ok(None)
}

fn libc_error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}
