// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A buffer that begins in a mapped page and ends in one that is not: what was copied counts, and
//! the next read goes on where it ended.
//!
//! How much of the mapped part is copied is the architecture's: x86-64 fills it to the last byte,
//! arm64 leaves out what it could not copy in one go, but copies at least one.

use std::io;
use std::os::fd::AsFd;
use std::ptr;
use std::slice;

use anyhow::{Result, ensure};

use crate::errno;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Bytes of the buffer before the page that is not mapped, for each read of its own: in the midst
/// of the first record, none, and past the end of the first record.
const MAPPED: [usize; 3] = [5, 0, 15];

/// Runs the program once; reads into the buffer, then the rest.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let run = prog_run::run(&program, 1, None)?;
    let pages = Pages::map()?;
    for mapped in MAPPED {
        let (result, copied) = pages.read(program.as_fd(), mapped);
        let what = match result {
            Ok(count) if (1..=mapped).contains(&count) => "some of them".to_owned(),
            other => errno::describe_result(&other),
        };
        ctx.note(format!("{mapped} of 64 bytes mapped: {what}"));
        ctx.output.stdout.extend_from_slice(copied);
    }
    Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    Ok(run.retval)
}

/// A page that is mapped, before one that nobody may touch.
struct Pages {
    start: *mut u8,
    size: usize,
}

impl Pages {
    fn map() -> Result<Pages> {
        // SAFETY: asks for a number.
        let size = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })?;
        // SAFETY: a new mapping, placed by the kernel.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                2 * size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        ensure!(
            start != libc::MAP_FAILED,
            "mmap: {}",
            io::Error::last_os_error()
        );
        let pages = Pages {
            start: start.cast(),
            size,
        };
        // SAFETY: the second page of our own mapping.
        let ret = unsafe { libc::munmap(start.byte_add(size), size) };
        ensure!(ret == 0, "munmap: {}", io::Error::last_os_error());
        Ok(pages)
    }

    /// Reads stdout into 64 bytes, of which the first `mapped` are; gives those that were filled.
    fn read(
        &self,
        program: std::os::fd::BorrowedFd<'_>,
        mapped: usize,
    ) -> (io::Result<usize>, &[u8]) {
        // SAFETY: the slice is only handed to the kernel, which is to find out that it must not
        // write to all of it.
        let buffer = unsafe { slice::from_raw_parts_mut(self.start.add(self.size - mapped), 64) };
        let result = Stream::Stdout.read(program, buffer);
        let copied = result.as_ref().map_or(0, |count| (*count).min(mapped));
        // SAFETY: these bytes lie in the mapped page.
        let copied = unsafe { slice::from_raw_parts(self.start.add(self.size - mapped), copied) };
        (result, copied)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which nothing points into any more.
        unsafe { libc::munmap(self.start.cast(), self.size) };
    }
}
