// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A process in a user namespace of its own, without capabilities, reads a descriptor that it was
//! handed.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;

use anyhow::{Context, Result, ensure};

use super::forked::Forked;
use super::socket;
use crate::capability;
use crate::errno;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::{COMMAND, OpenAttr, StreamFd, call};
use crate::test_ctx::TestCtx;

/// The child first tries to open a stream by the program's fd, which it inherits; then it receives
/// a descriptor, and reads until the program is freed.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = wanted::copy(&loaded)?;
    let (ours, theirs) = UnixDatagram::pair().context("cannot make a pair of sockets")?;
    let attr = OpenAttr {
        program: program.as_raw_fd(),
        stream: Stream::Stdout as u32,
        flags: 0,
    };
    let child = Forked::start(|| {
        enter()?;
        let own = match call(COMMAND, &attr) {
            Ok(_) => "opened".to_owned(),
            Err(error) => errno::describe(&error),
        };
        // SAFETY: the child uses the program no more, and runs no destructors.
        unsafe { libc::close(attr.program) };
        let stdout = StreamFd::of(socket::receive(&theirs)?, Stream::Stdout);
        let read = socket::read_all(&stdout)?;
        Ok(format!("by the program's fd: {own}; handed over: {read}"))
    })?;
    let stdout = StreamFd::open_blocking(program.as_fd(), Stream::Stdout)?;
    socket::send(&ours, stdout)?;
    wanted::print(program.as_fd(), Stream::Stdout, 2)?;
    drop(program);
    ctx.note(child.result()?);
    Ok(None)
}

/// Enters a new user namespace, and drops the capabilities that this gives.
fn enter() -> Result<()> {
    // SAFETY: takes a number.
    let ret = unsafe { libc::unshare(libc::CLONE_NEWUSER) };
    ensure!(
        ret == 0,
        "cannot enter a user namespace: {}",
        io::Error::last_os_error()
    );
    capability::drop_all()?;
    // SAFETY: a C string. Changes nothing: the root stays the same.
    let ret = unsafe { libc::chroot(c"/".as_ptr()) };
    ensure!(ret < 0, "the child still has capabilities");
    Ok(())
}
