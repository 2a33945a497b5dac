// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Reads a program's streams with the command `BPF_PROG_STREAM_READ_BY_FD`.
//!
//! All valid reads go through libbpf's `bpf_prog_stream_read()`, as written for later kernels.
//! Readers that wait use a descriptor (`stream_fd.rs`).

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use anyhow::{Result, anyhow, bail};
use libbpf_rs::libbpf_sys;

/// More than any stream holds: a kernel that gives more never stops.
const MAX_BYTES: usize = 128 << 20;

/// One of a program's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Stream 1.
    Stdout = 1,
    /// Stream 2.
    Stderr = 2,
}

impl Stream {
    /// Both streams.
    pub const ALL: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

    /// Reads once.
    pub fn read(self, program: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        // the kernel's limit for one read
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

    /// Reads until the stream is empty.
    pub fn drain(self, program: BorrowedFd<'_>, into: &mut Vec<u8>) -> Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match self
                .read(program, &mut buffer)
                .map_err(|error| self.read_error(&error))?
            {
                0 => return Ok(()),
                count => into.extend_from_slice(&buffer[..count]),
            }
            if into.len() > MAX_BYTES {
                bail!("{self} gave more than {MAX_BYTES} bytes");
            }
        }
    }

    /// `stdout` or `stderr`.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }

    /// The error message for a failed read.
    pub fn read_error(self, error: &io::Error) -> anyhow::Error {
        let hint = match error.raw_os_error() {
            Some(libc::EINVAL) => " (does this kernel have BPF_PROG_STREAM_READ_BY_FD?)",
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
