// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Stream descriptors: the command `BPF_PROG_STREAM_OPEN`, and the file that it returns.
//!
//! The libbpf of this crate does not have `bpf_prog_stream_open()` yet, so the command is called
//! directly.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::poll;
use crate::settings;
use crate::stream::Stream;

/// `BPF_PROG_STREAM_OPEN`.
pub const COMMAND: libc::c_long = 39;

/// `BPF_F_STREAM_NONBLOCK`: reads of an empty stream fail with `EAGAIN`.
pub const NONBLOCK: u32 = 1;

/// More than any stream holds: a kernel that gives more never stops.
const MAX_BYTES: usize = 128 << 20;

/// The fields of the command in `union bpf_attr`, and no more: 12 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct OpenAttr {
    /// The program's fd.
    pub program: i32,
    /// 1 or 2.
    pub stream: u32,
    /// [`NONBLOCK`] or 0.
    pub flags: u32,
}

/// Calls `bpf()` with a command that returns a new fd.
pub fn call<A: Copy>(command: libc::c_long, attr: &A) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads the attributes, which contain no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attr, size_of::<A>()) };
    let fd = i32::try_from(fd).unwrap_or(-1);
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new fd that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether the kernel has stream descriptors: with a command that it knows, it looks at the fd, and
/// -1 is none.
pub fn is_supported() -> bool {
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    *SUPPORTED.get_or_init(|| {
        let attr = OpenAttr {
            program: -1,
            stream: Stream::Stdout as u32,
            flags: 0,
        };
        matches!(call(COMMAND, &attr), Err(error) if error.raw_os_error() == Some(libc::EBADF))
    })
}

/// What a non-blocking reader has found behind the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing yet: `EAGAIN`.
    Empty,
    /// The end of the file: the program has been freed and all text was read.
    OfFile,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Empty => "-EAGAIN",
            End::OfFile => "end of file",
        })
    }
}

/// A descriptor of one stream of a program.
#[derive(Debug)]
pub struct StreamFd {
    file: File,
    stream: Stream,
}

impl StreamFd {
    /// Opens a stream whose reads block.
    pub fn open_blocking(program: BorrowedFd<'_>, stream: Stream) -> Result<StreamFd> {
        StreamFd::open_with(program, stream, 0)
    }

    /// Opens a stream whose reads do not block.
    pub fn open(program: BorrowedFd<'_>, stream: Stream) -> Result<StreamFd> {
        StreamFd::open_with(program, stream, NONBLOCK)
    }

    fn open_with(program: BorrowedFd<'_>, stream: Stream, flags: u32) -> Result<StreamFd> {
        let attr = OpenAttr {
            program: program.as_raw_fd(),
            stream: stream as u32,
            flags,
        };
        let fd = call(COMMAND, &attr)
            .with_context(|| format!("cannot open the program's {stream} as a descriptor"))?;
        Ok(StreamFd::of(fd, stream))
    }

    /// A descriptor that was opened elsewhere.
    pub fn of(fd: OwnedFd, stream: Stream) -> StreamFd {
        StreamFd {
            file: File::from(fd),
            stream,
        }
    }

    /// Reads once.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.file).read(buffer)
    }

    /// Reads with a non-blocking descriptor until the stream is empty.
    pub fn drain(&self, into: &mut Vec<u8>) -> Result<End> {
        self.drain_by(64 << 10, into)
    }

    /// As [`StreamFd::drain`], with reads of `size` bytes.
    pub fn drain_by(&self, size: usize, into: &mut Vec<u8>) -> Result<End> {
        let mut buffer = vec![0; size];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return Ok(End::OfFile),
                Ok(count) => into.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(End::Empty),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot read {}", self.stream));
                }
            }
            if into.len() > MAX_BYTES {
                bail!("{} gave more than {MAX_BYTES} bytes", self.stream);
            }
        }
    }

    /// Reads with a non-blocking descriptor to the end of the file, and waits for text meanwhile.
    /// Fails if `timeout` passes without text or the end.
    pub fn drain_to_end(&self, timeout: Duration, into: &mut Vec<u8>) -> Result<()> {
        while self.drain(into)? == End::Empty {
            let events = self.wait(settings::scaled(timeout))?;
            if events == 0 {
                bail!(
                    "{} gave {} bytes, and then neither text nor its end for {} s",
                    self.stream,
                    into.len(),
                    settings::scaled(timeout).as_secs()
                );
            }
        }
        Ok(())
    }

    /// Waits with `poll()` for text or the end of the file; 0 if `timeout` passes without either.
    pub fn wait(&self, timeout: Duration) -> Result<u32> {
        poll::wait(self.as_fd(), poll::IN, timeout)
            .with_context(|| format!("cannot wait for {}", self.stream))
    }

    /// Waits until the program has been freed.
    pub fn wait_for_hangup(&self, timeout: Duration) -> Result<()> {
        let timeout = settings::scaled(timeout);
        let begun = Instant::now();
        // no event is requested: EPOLLHUP is always reported
        let events = poll::wait(self.as_fd(), 0, timeout).context("poll")?;
        if events & poll::HUP == 0 {
            bail!(
                "{} was not hung up within {:?} after the program's last reference",
                self.stream,
                begun.elapsed()
            );
        }
        Ok(())
    }
}

impl AsFd for StreamFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::OpenAttr;

    #[test]
    fn the_attributes_have_the_size_that_readers_pass() {
        assert_eq!(size_of::<OpenAttr>(), 12);
    }
}
