// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The same for a process in a user namespace, which loads the program by a BPF token.

use std::env;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::ptr;

use anyhow::{Context, Result, ensure};

use super::{KptrRestrict, VALUES, with_all_and_few};
use crate::scenario::stream_fd::{forked::Forked, socket};
use crate::test_ctx::TestCtx;

/// libbpf creates a token from the BPF file system that this variable names.
const TOKEN_PATH: &str = "LIBBPF_BPF_TOKEN_PATH";

/// Mount options of a BPF file system that delegate everything to the user namespace that opened it.
const DELEGATED: [&CStr; 4] = [
    c"delegate_cmds",
    c"delegate_maps",
    c"delegate_progs",
    c"delegate_attachs",
];

/// From `linux/mount.h`.
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;

/// For each value of the sysctl, a child enters a user namespace and opens a BPF file system there,
/// this process delegates everything to it, and the child loads the program.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let kptr_restrict = KptrRestrict::keep()?;
    for value in VALUES {
        kptr_restrict.set(value)?;
        let (ours, theirs) = UnixDatagram::pair().context("cannot make a pair of sockets")?;
        let child = Forked::start(|| {
            // SAFETY: takes a number.
            let ret = unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) };
            done(ret.into(), "unshare")?;
            socket::send_fd(&theirs, open_bpf_fs()?.as_fd())?;
            let mount = socket::receive(&theirs)?;
            // SAFETY: the child has one thread.
            unsafe { env::set_var(TOKEN_PATH, format!("/proc/self/fd/{}", mount.as_raw_fd())) };
            with_all_and_few(ctx)
        })?;
        let mount = delegate(&socket::receive(&ours)?)?;
        socket::send_fd(&ours, mount.as_fd())?;
        let shown = child.result()?;
        ctx.note(format!("kptr_restrict {value}, with a token: {shown}"));
    }
    Ok(None)
}

/// Opens the context of a BPF file system, which belongs to the user namespace of the caller.
fn open_bpf_fs() -> Result<OwnedFd> {
    // SAFETY: a C string and a number.
    new_fd(
        unsafe { libc::syscall(libc::SYS_fsopen, c"bpf".as_ptr(), 0) },
        "fsopen",
    )
}

/// Delegates everything, which needs capabilities outside of the namespace, and mounts the file
/// system.
fn delegate(context: &OwnedFd) -> Result<OwnedFd> {
    let fd = context.as_raw_fd();
    for key in DELEGATED {
        let (key, value) = (key.as_ptr(), c"any".as_ptr());
        // SAFETY: two C strings and numbers.
        let ret =
            unsafe { libc::syscall(libc::SYS_fsconfig, fd, FSCONFIG_SET_STRING, key, value, 0) };
        done(ret, "fsconfig")?;
    }
    let none = ptr::null::<libc::c_char>();
    // SAFETY: numbers and null pointers, as the command requires.
    let ret = unsafe { libc::syscall(libc::SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, none, none, 0) };
    done(ret, "fsconfig")?;
    // SAFETY: takes numbers.
    new_fd(
        unsafe { libc::syscall(libc::SYS_fsmount, fd, 0, 0) },
        "fsmount",
    )
}

fn new_fd(ret: libc::c_long, call: &str) -> Result<OwnedFd> {
    done(ret, call)?;
    // SAFETY: the call returned a new fd, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(libc::c_int::try_from(ret)?) })
}

fn done(ret: libc::c_long, call: &str) -> Result<()> {
    ensure!(ret >= 0, "{call}: {}", io::Error::last_os_error());
    Ok(())
}
