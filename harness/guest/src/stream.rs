// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Reading a program's streams.
//!
//! Every read but those that must fail goes through libbpf's `bpf_prog_stream_read()`, as it was
//! written for later kernels.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use libbpf_rs::libbpf_sys;

use crate::poll::{self, Waiter};
use crate::{bpftool, settings};

/// As long as anything that runs later in the guest may take, on the slowest emulation.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// More than a stream can hold would be a kernel that never stops giving.
const MOST: usize = 128 << 20;

/// One of a program's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Stream 1.
    Stdout = 1,
    /// Stream 2.
    Stderr = 2,
}

impl Stream {
    /// Both.
    pub const ALL: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

    /// Reads once.
    pub fn read(self, program: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        // the kernel takes no more at once
        let length = buffer.len().min(i32::MAX as usize) as u32;
        // SAFETY: the buffer is valid for writes of its length.
        let ret = unsafe {
            libbpf_sys::bpf_prog_stream_read(
                program.as_raw_fd(),
                self as u32,
                buffer.as_mut_ptr().cast(),
                length,
                std::ptr::null_mut(),
            )
        };
        usize::try_from(ret).map_err(|_| io::Error::from_raw_os_error(-ret))
    }

    /// Reads until there is nothing left.
    pub fn drain(self, program: BorrowedFd<'_>, into: &mut Vec<u8>) -> Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self
                .read(program, &mut buffer)
                .map_err(|error| self.explain(&error))?
            {
                0 => return Ok(()),
                count => into.extend_from_slice(&buffer[..count]),
            }
            if into.len() > MOST {
                bail!("{self} gave more than {MOST} bytes");
            }
        }
    }

    /// The same in the way that the host has set, which may be bpftool.
    pub fn collect(self, program: BorrowedFd<'_>, into: &mut Vec<u8>) -> Result<()> {
        if settings::by_bpftool() {
            into.extend(bpftool::show(self, program)?);
            return Ok(());
        }
        self.drain(program, into)
    }

    /// Reads until at least `wanted` bytes are there, for at most `patience` of a plain kernel. Sleeps
    /// until there is text, where the kernel can say when that is.
    pub fn wait_for(
        self,
        program: BorrowedFd<'_>,
        wanted: usize,
        patience: Duration,
        into: &mut Vec<u8>,
    ) -> Result<()> {
        if into.len() >= wanted {
            return Ok(());
        }
        let waiter = self.waiter(program)?;
        self.wait_with(program, wanted, patience, into, |rest| {
            match &waiter {
                Some(waiter) => drop(waiter.wait(rest).context("cannot wait for the program")?),
                None => std::thread::yield_now(),
            }
            Ok(())
        })
    }

    /// The same without giving up the CPU, for what happens only as long as this thread runs.
    pub fn spin_for(
        self,
        program: BorrowedFd<'_>,
        wanted: usize,
        patience: Duration,
        into: &mut Vec<u8>,
    ) -> Result<()> {
        self.wait_with(program, wanted, patience, into, |_| Ok(()))
    }

    /// Reads, and lets `pause` wait in between, for the rest of the patience at most.
    fn wait_with(
        self,
        program: BorrowedFd<'_>,
        wanted: usize,
        patience: Duration,
        into: &mut Vec<u8>,
        mut pause: impl FnMut(Duration) -> Result<()>,
    ) -> Result<()> {
        let patience = settings::patient(patience);
        let begun = Instant::now();
        loop {
            self.collect(program, into)?;
            if into.len() >= wanted {
                return Ok(());
            }
            let Some(rest) = patience.checked_sub(begun.elapsed()) else {
                bail!(
                    "{self} gave {} of {wanted} bytes within {} s",
                    into.len(),
                    patience.as_secs()
                );
            };
            pause(rest)?;
        }
    }

    /// What waits for text of this stream; `None` where the kernel has no such thing.
    fn waiter(self, program: BorrowedFd<'_>) -> Result<Option<Waiter>> {
        match Waiter::new(program, self.event()) {
            Ok(waiter) => Ok(Some(waiter)),
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(None),
            Err(error) => Err(error).context("cannot wait for the program"),
        }
    }

    /// What epoll says when there is text.
    pub fn event(self) -> u32 {
        match self {
            Stream::Stdout => poll::STDOUT,
            Stream::Stderr => poll::STDERR,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }

    /// Says what a failed read was.
    pub fn explain(self, error: &io::Error) -> anyhow::Error {
        let hint = match error.raw_os_error() {
            Some(libc::EINVAL) => " (has this kernel BPF_PROG_STREAM_READ_BY_FD?)",
            _ => "",
        };
        anyhow!("cannot read the program's {self}: {error}{hint}")
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
