// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Reads a descriptor with io_uring: a read is submitted before there is text, and completes with
//! the text or the end of the file.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};

use crate::errno;
use crate::poll;
use crate::scenario::blocked::TIMEOUT;
use crate::scenario::wanted;
use crate::settings;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

/// Submits a read, and then prints, frees the program, or does neither.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = wanted::copy(&loaded)?;
    let fd = program.as_fd();
    let blocking = StreamFd::open_blocking(fd, Stream::Stdout)?;
    let other = StreamFd::open(fd, Stream::Stdout)?;
    let mut ring = Ring::new()?;
    let mut buffer = [0; 64];
    let mut note = |what: &str, result: io::Result<usize>| {
        ctx.note(format!("{what}: {}", errno::describe_result(&result)));
    };

    ring.submit_read(blocking.as_fd(), &mut buffer)?;
    ensure!(
        !ring.is_complete(),
        "a read of an empty stream has completed"
    );
    wanted::print(fd, Stream::Stdout, 1)?;
    note("submitted before a print", ring.complete()?);

    wanted::print(fd, Stream::Stdout, 2)?;
    ring.submit_read(blocking.as_fd(), &mut buffer)?;
    note("submitted after a print", ring.complete()?);

    // io_uring waits for non-blocking files, too
    ring.submit_read(other.as_fd(), &mut buffer)?;
    ensure!(
        !ring.is_complete(),
        "a read of an empty stream has completed"
    );
    wanted::print(fd, Stream::Stdout, 1)?;
    note("non-blocking, submitted before a print", ring.complete()?);

    ring.submit_read(blocking.as_fd(), &mut buffer)?;
    wanted::print(fd, Stream::Stdout, 1)?;
    drop(program);
    note("a print and the end of the program", ring.complete()?);
    ring.submit_read(blocking.as_fd(), &mut buffer)?;
    note("after the end of the program", ring.complete()?);
    Ok(None)
}

/// Entries of both queues.
const ENTRIES: u32 = 4;

/// `IORING_OP_READ`.
const OP_READ: u8 = 22;
/// `IORING_OFF_SQ_RING`, `IORING_OFF_CQ_RING`, `IORING_OFF_SQES`.
const OFFSETS: [i64; 3] = [0, 0x800_0000, 0x1000_0000];

/// `struct io_sqring_offsets`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct SubmissionOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    flags: u32,
    dropped: u32,
    array: u32,
    reserved: u32,
    user_addr: u64,
}

/// `struct io_cqring_offsets`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CompletionOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    overflow: u32,
    cqes: u32,
    flags: u32,
    reserved: u32,
    user_addr: u64,
}

/// `struct io_uring_params`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Params {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    sq_thread_cpu: u32,
    sq_thread_idle: u32,
    features: u32,
    wq_fd: u32,
    reserved: [u32; 3],
    sq: SubmissionOffsets,
    cq: CompletionOffsets,
}

/// The fields of `struct io_uring_sqe` that a read uses.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Submission {
    opcode: u8,
    flags: u8,
    priority: u16,
    fd: i32,
    offset: u64,
    address: u64,
    length: u32,
    rest: [u32; 9],
}

/// `struct io_uring_cqe`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Completion {
    user_data: u64,
    result: i32,
    flags: u32,
}

/// A ring with one read at a time.
struct Ring {
    fd: OwnedFd,
    params: Params,
    submissions: Mapping,
    completions: Mapping,
    entries: Mapping,
}

impl Ring {
    fn new() -> Result<Ring> {
        let mut params = Params::default();
        // SAFETY: the parameters are valid for reads and writes.
        let fd =
            unsafe { libc::syscall(libc::SYS_io_uring_setup, ENTRIES, (&raw mut params).addr()) };
        ensure!(fd >= 0, "io_uring_setup: {}", io::Error::last_os_error());
        // SAFETY: a new fd that nothing else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(i32::try_from(fd)?) };
        let sizes = [
            params.sq.array as usize + params.sq_entries as usize * size_of::<u32>(),
            params.cq.cqes as usize + params.cq_entries as usize * size_of::<Completion>(),
            params.sq_entries as usize * size_of::<Submission>(),
        ];
        let map = |which: usize| Mapping::new(fd.as_fd(), sizes[which], OFFSETS[which]);
        Ok(Ring {
            params,
            submissions: map(0)?,
            completions: map(1)?,
            entries: map(2)?,
            fd,
        })
    }

    /// Submits a read. The buffer is filled until the read completes.
    fn submit_read(&mut self, fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<()> {
        let offsets = self.params.sq;
        let tail = self.submissions.counter(offsets.tail);
        let index = tail.load(Ordering::Relaxed) % self.params.sq_entries;
        let submission = Submission {
            opcode: OP_READ,
            fd: fd.as_raw_fd(),
            // the file has no position
            offset: u64::MAX,
            address: buffer.as_mut_ptr().addr() as u64,
            length: u32::try_from(buffer.len())?,
            ..Submission::default()
        };
        // SAFETY: the index is within the entries, and the kernel does not read the entry yet.
        unsafe {
            let place = self.entries.start.cast::<Submission>();
            place.add(index as usize).write(submission);
        }
        let slot = offsets.array + index * size_of::<u32>() as u32;
        self.submissions
            .counter(slot)
            .store(index, Ordering::Relaxed);
        tail.fetch_add(1, Ordering::Release);
        // SAFETY: takes numbers, and no signal mask.
        let submitted = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.fd.as_raw_fd(),
                1,
                0,
                0,
                ptr::null::<libc::sigset_t>(),
                0,
            )
        };
        ensure!(
            submitted == 1,
            "io_uring_enter: {}",
            io::Error::last_os_error()
        );
        Ok(())
    }

    /// Whether the read has completed.
    fn is_complete(&self) -> bool {
        let offsets = self.params.cq;
        let head = self.completions.counter(offsets.head);
        let tail = self.completions.counter(offsets.tail);
        head.load(Ordering::Relaxed) != tail.load(Ordering::Acquire)
    }

    /// Waits for the completion of the read; returns what the read returned.
    fn complete(&mut self) -> Result<io::Result<usize>> {
        let timeout = settings::scaled(TIMEOUT);
        let events = poll::wait(self.fd.as_fd(), poll::IN, timeout).context("poll")?;
        ensure!(
            events != 0 && self.is_complete(),
            "the read has not completed within {} s",
            timeout.as_secs()
        );
        let offsets = self.params.cq;
        let head = self.completions.counter(offsets.head);
        let index = head.load(Ordering::Relaxed) % self.params.cq_entries;
        // SAFETY: the index is within the completions, and the tail is behind it.
        let completion = unsafe {
            let first = self.completions.start.add(offsets.cqes as usize);
            first.cast::<Completion>().add(index as usize).read()
        };
        head.fetch_add(1, Ordering::Release);
        Ok(usize::try_from(completion.result)
            .map_err(|_| io::Error::from_raw_os_error(-completion.result)))
    }
}

/// Memory that the kernel shares.
struct Mapping {
    start: *mut u8,
    size: usize,
}

impl Mapping {
    fn new(ring: BorrowedFd<'_>, size: usize, offset: i64) -> Result<Mapping> {
        // SAFETY: a new mapping at an address chosen by the kernel.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                ring.as_raw_fd(),
                offset,
            )
        };
        ensure!(
            start != libc::MAP_FAILED,
            "mmap of an io_uring: {}",
            io::Error::last_os_error()
        );
        Ok(Mapping {
            start: start.cast(),
            size,
        })
    }

    /// A number that both sides change.
    fn counter(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: the kernel gave the offset, which is within the mapping and aligned.
        unsafe { AtomicU32::from_ptr(self.start.add(offset as usize).cast()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping; nothing points into it any more.
        unsafe { libc::munmap(self.start.cast(), self.size) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structs_have_the_sizes_of_the_interface() {
        assert_eq!(size_of::<Params>(), 120);
        assert_eq!(size_of::<Submission>(), 64);
        assert_eq!(size_of::<Completion>(), 16);
    }
}
