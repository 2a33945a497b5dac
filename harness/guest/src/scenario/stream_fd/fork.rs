// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A child process inherits a descriptor, and shares its position.

use std::os::fd::AsFd;

use anyhow::{Context, Result};

use super::forked::Forked;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// Parent and child each read a part; then the program is freed and the parent's descriptor closed,
/// and another child reads the rest.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = wanted::copy(&loaded)?;
    let stdout = StreamFd::open_blocking(program.as_fd(), Stream::Stdout)?;
    wanted::print(program.as_fd(), Stream::Stdout, 3)?;
    let part = || {
        let mut part = [0; 3];
        let count = stdout.read(&mut part).context("cannot read")?;
        anyhow::Ok(String::from_utf8_lossy(&part[..count]).into_owned())
    };
    ctx.note(format!("parent: {:?}", part()?));
    ctx.note(format!("child: {:?}", Forked::start(part)?.result()?));
    ctx.note(format!("parent: {:?}", part()?));

    // the child has both descriptors, too, and must close that of the program
    let fd = std::os::fd::AsRawFd::as_raw_fd(&program);
    let last = Forked::start(|| {
        // SAFETY: the child uses the program no more, and runs no destructors.
        unsafe { libc::close(fd) };
        let mut text = Vec::new();
        let mut buffer = [0; 64];
        loop {
            match stdout.read(&mut buffer).context("cannot read")? {
                0 => break,
                count => text.extend_from_slice(&buffer[..count]),
            }
        }
        Ok(format!("{:?} and the end", String::from_utf8_lossy(&text)))
    })?;
    drop(stdout);
    wanted::print(program.as_fd(), Stream::Stdout, 1)?;
    drop(program);
    ctx.note(format!(
        "child, the parent's are closed: {}",
        last.result()?
    ));
    Ok(None)
}
