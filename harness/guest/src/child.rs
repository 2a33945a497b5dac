// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A child process whose output is read while it runs.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::settings;
use crate::stream::Stream;

/// Time limit for every wait.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Capacity of a pipe.
const PIPE_SIZE: usize = 64 << 10;

/// A running command. Dropping it kills the command.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    stdout: Pipe,
    stderr: Pipe,
}

/// A pipe from the command.
#[derive(Debug, Default)]
struct Pipe {
    /// `None` after the end of the stream.
    file: Option<File>,
    /// Bytes that were read and not consumed by the caller.
    unread: Vec<u8>,
}

impl ChildProcess {
    /// Starts the command.
    pub fn start(command: &mut Command) -> Result<ChildProcess> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let stdout = Pipe::new(child.stdout.take());
        let stderr = Pipe::new(child.stderr.take());
        Ok(ChildProcess {
            child,
            stdout,
            stderr,
        })
    }

    /// Bytes that were read and not consumed yet; the caller removes what it consumes.
    pub fn unread(&mut self, stream: Stream) -> &mut Vec<u8> {
        &mut self.pipe(stream).unread
    }

    /// Waits until at least `wanted` bytes are unread.
    pub fn wait_for_bytes(&mut self, stream: Stream, wanted: usize) -> Result<()> {
        self.wait_until(stream, |unread| unread.len() >= wanted)
    }

    /// Waits until the unread text contains `mark` this often.
    pub fn wait_for_lines(&mut self, stream: Stream, mark: &str, wanted: usize) -> Result<()> {
        self.wait_until(stream, |unread| {
            String::from_utf8_lossy(unread).matches(mark).count() >= wanted
        })
    }

    /// Waits until the unread bytes end with a newline.
    pub fn wait_for_line(&mut self, stream: Stream) -> Result<()> {
        self.wait_until(stream, |unread| unread.ends_with(b"\n"))
    }

    fn wait_until(&mut self, stream: Stream, is_enough: impl Fn(&[u8]) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !is_enough(self.unread(stream)) {
            ensure!(
                self.pipe(stream).file.is_some(),
                "the command has ended: {}",
                self.transcript()
            );
            self.read_within(self.remaining(begun)?)?;
        }
        Ok(())
    }

    /// Waits for output, and reads it; `false` at the end of all output.
    pub fn read_some(&mut self) -> Result<bool> {
        if self.stdout.file.is_none() && self.stderr.file.is_none() {
            return Ok(false);
        }
        self.read_within(settings::scaled(TIMEOUT))?;
        Ok(true)
    }

    /// Waits at most `timeout` for output, and reads it.
    fn read_within(&mut self, timeout: Duration) -> Result<()> {
        let mut fds = [self.stdout.poll_fd(), self.stderr.poll_fd()];
        let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: two elements, valid for reads and writes; poll ignores a negative fd.
        let ret = unsafe { libc::poll(fds.as_mut_ptr(), 2, millis) };
        if ret < 0 {
            let error = io::Error::last_os_error();
            ensure!(
                error.kind() == io::ErrorKind::Interrupted,
                "cannot wait for the command: {error}"
            );
            return Ok(());
        }
        for (pipe, fd) in [&mut self.stdout, &mut self.stderr].into_iter().zip(fds) {
            if fd.revents != 0 {
                pipe.read()?;
            }
        }
        Ok(())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) -> Result<()> {
        // SAFETY: takes numbers only; the child has not been waited for, so the PID is still its
        // own.
        let ret = unsafe { libc::kill(self.pid()?, signal) };
        ensure!(
            ret == 0,
            "cannot send signal {signal}: {}",
            io::Error::last_os_error()
        );
        Ok(())
    }

    /// Stops the command with SIGSTOP and waits until it is stopped.
    pub fn stop(&self) -> Result<()> {
        self.signal(libc::SIGSTOP)?;
        let mut status = 0;
        // SAFETY: the status is valid for writes.
        let ret = unsafe { libc::waitpid(self.pid()?, &raw mut status, libc::WUNTRACED) };
        ensure!(
            ret > 0 && libc::WIFSTOPPED(status),
            "the command has ended instead of being stopped"
        );
        Ok(())
    }

    /// Continues a stopped command.
    pub fn resume(&self) -> Result<()> {
        self.signal(libc::SIGCONT)
    }

    /// Closes this end of the stream's pipe.
    pub fn close(&mut self, stream: Stream) {
        self.pipe(stream).file = None;
    }

    /// Reads all output until the command ends, and returns its exit status.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let begun = Instant::now();
        while self.stdout.file.is_some() || self.stderr.file.is_some() {
            self.read_within(self.remaining(begun)?)?;
        }
        self.child.wait().context("cannot wait for the command")
    }

    /// The command's PID.
    pub fn pid(&self) -> Result<libc::pid_t> {
        libc::pid_t::try_from(self.child.id()).context("the PID of the command is out of range")
    }

    fn pipe(&mut self, stream: Stream) -> &mut Pipe {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn remaining(&self, begun: Instant) -> Result<Duration> {
        let timeout = settings::scaled(TIMEOUT);
        match timeout.checked_sub(begun.elapsed()) {
            Some(remaining) => Ok(remaining),
            None => bail!(
                "the command is still running after {} s: {}",
                timeout.as_secs(),
                self.transcript()
            ),
        }
    }

    fn transcript(&self) -> String {
        format!(
            "stdout `{}`, stderr `{}`",
            String::from_utf8_lossy(&self.stdout.unread),
            String::from_utf8_lossy(&self.stderr.unread)
        )
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // both fail only for a child that has ended
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pipe {
    fn new(end: Option<impl Into<OwnedFd>>) -> Pipe {
        Pipe {
            file: end.map(|end| File::from(end.into())),
            unread: Vec::new(),
        }
    }

    fn poll_fd(&self) -> libc::pollfd {
        libc::pollfd {
            fd: self.file.as_ref().map_or(-1, AsRawFd::as_raw_fd),
            events: libc::POLLIN,
            revents: 0,
        }
    }

    /// Reads once. Does not block after poll has reported an event.
    fn read(&mut self) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut buffer = [0; PIPE_SIZE];
        let count = file
            .read(&mut buffer)
            .context("cannot read the command's output")?;
        self.unread.extend_from_slice(&buffer[..count]);
        if count == 0 {
            self.file = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> ChildProcess {
        ChildProcess::start(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn output_is_read_while_the_command_runs_and_after_its_end() {
        let script = "trap 'echo three; exit 4' USR1; echo one; echo two >&2; while :; do :; done";
        let mut running = shell(script);
        running.wait_for_bytes(Stream::Stdout, 4).unwrap();
        running.wait_for_bytes(Stream::Stderr, 4).unwrap();
        assert_eq!(running.unread(Stream::Stdout), b"one\n");
        running.unread(Stream::Stdout).clear();
        running.stop().unwrap();
        // delivered only after SIGCONT
        running.signal(libc::SIGUSR1).unwrap();
        running.resume().unwrap();
        assert_eq!(running.wait().unwrap().code(), Some(4));
        assert_eq!(running.unread(Stream::Stdout), b"three\n");
        assert_eq!(running.unread(Stream::Stderr), b"two\n");
    }

    #[test]
    fn waiting_for_a_command_that_has_ended_fails() {
        let error = shell("echo one")
            .wait_for_bytes(Stream::Stdout, 5)
            .unwrap_err();
        assert!(error.to_string().contains("`one\n`"), "{error}");
    }
}
