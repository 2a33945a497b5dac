// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Properties of a descriptor as a file.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;

use anyhow::{Context, Result, ensure};

use crate::errno;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;

/// Room for a part of what is printed.
const ROOM: u32 = 4096;

/// Lines of `/proc/self/fdinfo` that every file has.
const OF_EVERY_FILE: &[&str] = &["pos", "flags", "mnt_id", "ino"];

/// Notes flags, name, and what calls return that do not read.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    wanted::print(program.as_fd(), Stream::Stdout, 1)?;
    let blocking = StreamFd::open_blocking(program.as_fd(), Stream::Stdout)?;
    let other = StreamFd::open(program.as_fd(), Stream::Stdout)?;
    for (what, descriptor) in [("blocking", &blocking), ("non-blocking", &other)] {
        ctx.note(format!("{what}: {}", flags(descriptor.as_fd())?));
    }
    let fd = blocking.as_fd();
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let name = fs::read_link(&link).with_context(|| format!("cannot read {link}"))?;
    ctx.note(format!("name: {}", name.display()));
    for (what, result) in calls(fd) {
        ctx.note(format!("{what}: {}", errno::describe_result(&result)));
    }
    blocking_is_switched(ctx, &blocking)?;
    Ok(None)
}

/// Notes the fdinfo of both streams, with text that is unread and text that was refused, and once
/// more when the program has been freed.
pub fn run_fdinfo(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(ROOM)?;
    let loaded = ctx.load()?;
    let program = wanted::copy(&loaded)?;
    let mut descriptors = Vec::new();
    for stream in Stream::ALL {
        descriptors.push(StreamFd::open(program.as_fd(), stream)?);
    }
    wanted::print_refused(program.as_fd(), Stream::Stdout, 1000)?;
    wanted::print(program.as_fd(), Stream::Stderr, 3)?;
    let of_program = fdinfo(program.as_fd())?;
    let mut lines = Vec::new();
    for descriptor in &descriptors {
        let own = fdinfo(descriptor.as_fd())?;
        for line in own.iter().filter(|line| !line.starts_with("stream_id:")) {
            ensure!(
                of_program.contains(line),
                "the program's fdinfo does not contain `{line}` of the descriptor's: {of_program:?}"
            );
        }
        own.iter()
            .for_each(|line| ctx.note(line.replace('\t', " ")));
        lines.push(own);
    }
    drop(program);
    descriptors[0].wait_for_hangup(crate::scenario::blocked::TIMEOUT)?;
    for (descriptor, before) in descriptors.iter().zip(lines) {
        let now = fdinfo(descriptor.as_fd())?;
        ensure!(
            now == before,
            "fdinfo changed when the program was freed, from {before:?} to {now:?}"
        );
    }
    ctx.note("the same when the program has been freed");
    Ok(None)
}

/// The lines that not every file has.
fn fdinfo(fd: BorrowedFd<'_>) -> Result<Vec<String>> {
    let file = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    Ok(text
        .lines()
        .filter(|line| {
            let (name, _) = line.split_once(':').unwrap_or_default();
            !OF_EVERY_FILE.contains(&name)
        })
        .map(str::to_owned)
        .collect())
}

fn flags(fd: BorrowedFd<'_>) -> Result<String> {
    let status = fcntl(fd, libc::F_GETFL, 0)?;
    let access = match status & libc::O_ACCMODE {
        libc::O_RDONLY => "read-only",
        libc::O_WRONLY => "write-only",
        _ => "read and write",
    };
    let nonblock = status & libc::O_NONBLOCK != 0;
    let close = fcntl(fd, libc::F_GETFD, 0)? & libc::FD_CLOEXEC != 0;
    Ok(format!(
        "{access}, O_NONBLOCK {nonblock}, close-on-exec {close}"
    ))
}

/// Calls that a stream does not support, by name.
fn calls(fd: BorrowedFd<'_>) -> Vec<(&'static str, io::Result<usize>)> {
    let fd = fd.as_raw_fd();
    let mut byte = 0_u8;
    let place: *mut libc::c_void = (&raw mut byte).cast();
    let result = |ret: isize| usize::try_from(ret).map_err(|_| io::Error::last_os_error());
    // SAFETY: one byte, valid for reads and writes; the other calls take numbers.
    unsafe {
        vec![
            ("write", result(libc::write(fd, place, 1))),
            ("write of nothing", result(libc::write(fd, place, 0))),
            ("lseek", result(libc::lseek(fd, 0, libc::SEEK_SET) as isize)),
            ("pread", result(libc::pread(fd, place, 1, 0))),
            ("pwrite", result(libc::pwrite(fd, place, 1, 0))),
            ("ftruncate", result(libc::ftruncate(fd, 0) as isize)),
            ("mmap", {
                let at = libc::mmap(ptr::null_mut(), 1, libc::PROT_READ, libc::MAP_SHARED, fd, 0);
                result(if at == libc::MAP_FAILED { -1 } else { 0 })
            }),
        ]
    }
}

/// `O_NONBLOCK` can be set and cleared later, as with any file.
fn blocking_is_switched(ctx: &mut TestCtx<'_>, descriptor: &StreamFd) -> Result<()> {
    let fd = descriptor.as_fd();
    let status = fcntl(fd, libc::F_GETFL, 0)?;
    fcntl(fd, libc::F_SETFL, status | libc::O_NONBLOCK)?;
    let end = descriptor.drain(&mut ctx.output.stdout)?;
    ctx.note(format!("O_NONBLOCK set later, all read: {end}"));
    Ok(())
}

fn fcntl(fd: BorrowedFd<'_>, command: libc::c_int, argument: libc::c_int) -> Result<libc::c_int> {
    // SAFETY: commands that take and return numbers.
    let ret = unsafe { libc::fcntl(fd.as_raw_fd(), command, argument) };
    ensure!(ret >= 0, "fcntl: {}", io::Error::last_os_error());
    Ok(ret)
}
