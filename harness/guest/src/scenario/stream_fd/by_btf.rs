// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A reader that knows nothing of the kernel's headers, as scx has: it takes the command's number
//! from the kernel's BTF, passes the 12 bytes of its attributes, and splits the text into lines.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Enum;

use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::{OpenAttr, call};
use crate::test_ctx::TestCtx;

/// The name of the command in `enum bpf_cmd`.
const NAME: &str = "BPF_PROG_STREAM_OPEN";

/// Looks up the command, opens both streams, and reads their lines until the program is gone.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = wanted::copy(&loaded)?;
    let number =
        find(NAME)?.with_context(|| format!("enum bpf_cmd of the kernel's BTF has no {NAME}"))?;
    ctx.note(format!("{NAME} = {number}"));
    let mut streams = Vec::new();
    for stream in Stream::ALL {
        let attr = OpenAttr {
            program: program.as_raw_fd(),
            stream: stream as u32,
            flags: 0,
        };
        let fd = call(number, &attr).with_context(|| format!("cannot open {stream}"))?;
        streams.push((stream, File::from(fd)));
        wanted::print(program.as_fd(), stream, 3)?;
    }
    // the reads block, and end with the program
    drop(program);
    for (stream, file) in streams {
        for line in BufReader::new(file).lines() {
            let line = line.with_context(|| format!("cannot read {stream}"))?;
            ctx.note(format!("{stream}: {line}"));
        }
    }
    Ok(None)
}

/// The number of a command by its name in `enum bpf_cmd`.
pub fn find(name: &str) -> Result<Option<libc::c_long>> {
    let btf = Btf::from_vmlinux().context("cannot read the kernel's BTF")?;
    let commands = btf
        .type_by_name::<Enum<'_>>("bpf_cmd")
        .context("the kernel's BTF has no enum bpf_cmd")?;
    Ok(commands
        .iter()
        .find(|command| command.name.is_some_and(|found| found == name))
        .map(|command| command.value as libc::c_long))
}
