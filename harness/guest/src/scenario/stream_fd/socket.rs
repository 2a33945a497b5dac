// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Passes descriptors over UNIX sockets.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::ptr;

use anyhow::{Context, Result, ensure};

use super::forked::Forked;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// A child receives a descriptor of a program that is freed, and whose descriptor is closed, while
/// the message with it is under way.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let (ours, theirs) = UnixDatagram::pair().context("cannot make a pair of sockets")?;
    let child = Forked::start(|| {
        let stdout = StreamFd::of(receive(&theirs)?, Stream::Stdout);
        read_all(&stdout)
    })?;
    child.wait_until_asleep()?;
    let program = wanted::copy(&loaded)?;
    let stdout = StreamFd::open_blocking(program.as_fd(), Stream::Stdout)?;
    wanted::print(program.as_fd(), Stream::Stdout, 2)?;
    drop(program);
    // nothing holds the stream now but the message
    send(&ours, stdout)?;
    ctx.note(format!("the receiver read {}", child.result()?));

    // and nothing reads this message
    let program = wanted::copy(&loaded)?;
    let stdout = StreamFd::open(program.as_fd(), Stream::Stdout)?;
    wanted::print(program.as_fd(), Stream::Stdout, 2)?;
    let (one, other) = UnixDatagram::pair().context("cannot make a pair of sockets")?;
    send(&one, stdout)?;
    drop(other);
    drop(one);
    ctx.note("a message with a descriptor was dropped");
    Ok(None)
}

/// Reads a blocking descriptor to its end.
pub fn read_all(stdout: &StreamFd) -> Result<String> {
    let mut text = Vec::new();
    let mut buffer = [0; 64];
    loop {
        match stdout.read(&mut buffer).context("cannot read stdout")? {
            0 => return Ok(format!("{:?} and the end", String::from_utf8_lossy(&text))),
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Room for the control message of one fd.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Calls `call` with a message of one byte and room for one fd.
fn with_message<T>(control: &mut Control, call: impl FnOnce(*mut libc::msghdr) -> T) -> T {
    let mut byte = 0_u8;
    let mut data = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    // SAFETY: zeros are valid values.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut data;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: computes a number.
    let space = unsafe { libc::CMSG_SPACE(size_of::<libc::c_int>() as libc::c_uint) };
    message.msg_controllen = space as _;
    call(&raw mut message)
}

/// Sends a descriptor, and closes it.
pub fn send(socket: &UnixDatagram, descriptor: StreamFd) -> Result<()> {
    send_fd(socket, descriptor.as_fd())
}

/// Sends a descriptor of any kind.
pub fn send_fd(socket: &UnixDatagram, fd: BorrowedFd<'_>) -> Result<()> {
    let mut control = Control([0; 64]);
    let sent = with_message(&mut control, |message| {
        // SAFETY: the message has room for one control message with one fd.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<libc::c_int>() as libc::c_uint) as _;
            ptr::write_unaligned(libc::CMSG_DATA(header).cast(), fd.as_raw_fd());
            libc::sendmsg(socket.as_raw_fd(), message, 0)
        }
    });
    ensure!(sent == 1, "sendmsg: {}", io::Error::last_os_error());
    Ok(())
}

/// Receives a descriptor.
pub fn receive(socket: &UnixDatagram) -> Result<OwnedFd> {
    let mut control = Control([0; 64]);
    with_message(&mut control, |message| {
        // SAFETY: the message is valid for writes, and the kernel fills in the control message.
        unsafe {
            let received = libc::recvmsg(socket.as_raw_fd(), message, libc::MSG_CMSG_CLOEXEC);
            ensure!(received == 1, "recvmsg: {}", io::Error::last_os_error());
            let header = libc::CMSG_FIRSTHDR(message);
            ensure!(
                !header.is_null() && (*header).cmsg_type == libc::SCM_RIGHTS,
                "the message contains no fd"
            );
            let fd: libc::c_int = ptr::read_unaligned(libc::CMSG_DATA(header).cast());
            Ok(OwnedFd::from_raw_fd(fd))
        }
    })
}
