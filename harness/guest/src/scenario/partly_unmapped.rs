// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A buffer that begins in a mapped page and ends in an unmapped one: the read returns what was
//! copied, and the next read continues there.
//!
//! How much of the mapped part is filled depends on the architecture: x86-64 fills all of it, arm64
//! may omit the last bytes, but copies at least one.

use std::io;
use std::os::fd::AsFd;
use std::ptr;
use std::slice;

use anyhow::{Result, ensure};

use crate::errno;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Mapped bytes of the buffer for each read: within the first record, none, and beyond the end of
/// the first record.
const MAPPED: [usize; 3] = [5, 0, 15];

/// Runs the program once; reads into the buffer, then the rest.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let run = prog_run::run(&program, 1, None)?;
    let pages = Pages::map()?;
    for mapped in MAPPED {
        let (result, copied) = pages.fill(mapped, |buffer| {
            Stream::Stdout.read(program.as_fd(), buffer)
        });
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

/// A mapped page followed by an unmapped one.
pub struct Pages {
    start: *mut u8,
    size: usize,
}

impl Pages {
    /// Maps both, and unmaps the second.
    pub fn map() -> Result<Pages> {
        // SAFETY: returns a number.
        let size = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })?;
        // SAFETY: a new mapping at an address chosen by the kernel.
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

    /// Calls `read` with a buffer of 64 bytes, of which the first `mapped` are mapped; returns what
    /// `read` returned and the filled bytes. `read` may only pass the buffer to the kernel.
    pub fn fill(
        &self,
        mapped: usize,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> (io::Result<usize>, &[u8]) {
        // SAFETY: the slice is only passed to the kernel, which must detect that a part is not
        // writable.
        let buffer = unsafe { slice::from_raw_parts_mut(self.start.add(self.size - mapped), 64) };
        let result = read(buffer);
        let copied = result.as_ref().map_or(0, |count| (*count).min(mapped));
        // SAFETY: these bytes are in the mapped page.
        let copied = unsafe { slice::from_raw_parts(self.start.add(self.size - mapped), copied) };
        (result, copied)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: our own mapping; nothing points into it any more.
        unsafe { libc::munmap(self.start.cast(), self.size) };
    }
}
