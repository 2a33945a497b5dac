// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A command that goes on while what it says is read.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::settings;
use crate::stream::Stream;

/// As long as anything may take that is waited for. Several bpftools that follow a program have a
/// chance to find it gone every four seconds, and may miss some where the machine is busy.
const TIMEOUT: Duration = Duration::from_secs(20);

/// As much as a pipe takes.
const PIPE_SIZE: usize = 64 << 10;

/// A command that was started; it is killed when this is dropped.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    stdout: Pipe,
    stderr: Pipe,
}

/// One of its streams.
#[derive(Debug, Default)]
struct Pipe {
    /// Until it has ended.
    file: Option<File>,
    /// What was read and not taken.
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

    /// What it has said and nobody has taken; may be emptied.
    pub fn unread(&mut self, stream: Stream) -> &mut Vec<u8> {
        &mut self.pipe(stream).unread
    }

    /// Waits, for a bounded time, until so many bytes were said and not taken.
    pub fn wait_for_bytes(&mut self, stream: Stream, wanted: usize) -> Result<()> {
        self.wait_until(stream, |said| said.len() >= wanted)
    }

    /// The same, until a line was said to its end.
    pub fn wait_for_line(&mut self, stream: Stream) -> Result<()> {
        self.wait_until(stream, |said| said.ends_with(b"\n"))
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

    /// Waits at most that long for something to be said, and reads it.
    pub fn read_within(&mut self, timeout: Duration) -> Result<()> {
        let mut fds = [self.stdout.poll_fd(), self.stderr.poll_fd()];
        let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: two elements, valid for reads and writes; a negative fd is left out.
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

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) -> Result<()> {
        // SAFETY: takes numbers only; the child was not waited for, so the number is still its own.
        let ret = unsafe { libc::kill(self.pid()?, signal) };
        ensure!(
            ret == 0,
            "cannot send signal {signal}: {}",
            io::Error::last_os_error()
        );
        Ok(())
    }

    /// Stops it, and comes back when it stands still.
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

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(libc::SIGCONT)
    }

    /// Reads its stream no more.
    pub fn close(&mut self, stream: Stream) {
        self.pipe(stream).file = None;
    }

    /// Reads all that it says and waits, for a bounded time, until it ends.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let begun = Instant::now();
        while self.stdout.file.is_some() || self.stderr.file.is_some() {
            self.read_within(self.remaining(begun)?)?;
        }
        self.child.wait().context("cannot wait for the command")
    }

    fn pid(&self) -> Result<libc::pid_t> {
        libc::pid_t::try_from(self.child.id()).context("a process with an odd number")
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
                "the command goes on after {} s: {}",
                timeout.as_secs(),
                self.transcript()
            ),
        }
    }

    fn transcript(&self) -> String {
        format!(
            "it said `{}` and `{}`",
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

    /// Reads once, which does not wait where there is something.
    fn read(&mut self) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut buffer = [0; PIPE_SIZE];
        let count = file
            .read(&mut buffer)
            .context("cannot read what the command says")?;
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
    fn a_command_is_heard_while_it_runs_and_to_its_end() {
        let script = "trap 'echo three; exit 4' USR1; echo one; echo two >&2; while :; do :; done";
        let mut running = shell(script);
        running.wait_for_bytes(Stream::Stdout, 4).unwrap();
        running.wait_for_bytes(Stream::Stderr, 4).unwrap();
        assert_eq!(running.unread(Stream::Stdout), b"one\n");
        running.unread(Stream::Stdout).clear();
        running.stop().unwrap();
        // not taken before it goes on
        running.signal(libc::SIGUSR1).unwrap();
        running.resume().unwrap();
        assert_eq!(running.wait().unwrap().code(), Some(4));
        assert_eq!(running.unread(Stream::Stdout), b"three\n");
        assert_eq!(running.unread(Stream::Stderr), b"two\n");
    }

    #[test]
    fn one_that_has_ended_says_no_more() {
        let error = shell("echo one")
            .wait_for_bytes(Stream::Stdout, 5)
            .unwrap_err();
        assert!(error.to_string().contains("`one\n`"), "{error}");
    }
}
