// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A child process that runs a part of a scenario.
//!
//! The agent has no other thread while a scenario forks, so the child may do what the agent may.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::poll;
use crate::scenario::blocked::TIMEOUT;
use crate::settings;

/// The child. Dropping it kills it.
pub struct Forked {
    pid: libc::pid_t,
    /// What the child has written; `None` after its end.
    pipe: File,
    has_ended: bool,
}

impl Forked {
    /// Runs `work` in a child process, which sends the text that `work` returns.
    pub fn start(work: impl FnOnce() -> Result<String>) -> Result<Forked> {
        let (reader, writer) = io::pipe().context("cannot make a pipe")?;
        // SAFETY: the agent has no other thread here, so the child can go on as the agent would.
        let pid = unsafe { libc::fork() };
        ensure!(pid >= 0, "fork: {}", io::Error::last_os_error());
        if pid == 0 {
            drop(reader);
            let text = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(Ok(text)) => text,
                Ok(Err(error)) => format!("error: {error:#}"),
                Err(_) => "error: the child panicked".to_owned(),
            };
            // the parent reports a text that is missing
            let _ = (&writer).write_all(text.as_bytes());
            // SAFETY: ends the process without running the agent's destructors a second time.
            unsafe { libc::_exit(0) }
        }
        drop(writer);
        Ok(Forked {
            pid,
            pipe: File::from(std::os::fd::OwnedFd::from(reader)),
            has_ended: false,
        })
    }

    /// Waits until the child sleeps in a system call.
    pub fn wait_until_asleep(&self) -> Result<()> {
        let file = format!("/proc/{}/stat", self.pid);
        let begun = Instant::now();
        loop {
            let stat =
                std::fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
            // the state is the field after the name, which is in parentheses
            let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            if state.starts_with('S') {
                return Ok(());
            }
            ensure!(!state.starts_with('Z'), "the child has ended");
            ensure!(
                begun.elapsed() < settings::scaled(TIMEOUT),
                "the child does not sleep: {stat}"
            );
            std::thread::yield_now();
        }
    }

    /// Kills the child, and returns the signal that ended it.
    pub fn kill(mut self) -> Result<libc::c_int> {
        // SAFETY: the child was not waited for, so the PID is its own.
        let ret = unsafe { libc::kill(self.pid, libc::SIGKILL) };
        ensure!(ret == 0, "kill: {}", io::Error::last_os_error());
        // the pipe ends with the child
        self.text()?;
        let status = self.reap()?;
        ensure!(
            libc::WIFSIGNALED(status),
            "the child was not killed: wait status {status:#x}"
        );
        Ok(libc::WTERMSIG(status))
    }

    /// The text that the child sends at its end.
    pub fn result(mut self) -> Result<String> {
        let text = self.text()?;
        let status = self.reap()?;
        ensure!(
            libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
            "the child ended with wait status {status:#x}"
        );
        if let Some(error) = text.strip_prefix("error: ") {
            bail!("in the child: {error}");
        }
        Ok(text)
    }

    /// Everything that the child writes until it ends.
    fn text(&mut self) -> Result<String> {
        let timeout = settings::scaled(TIMEOUT);
        let begun = Instant::now();
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let remaining = timeout.checked_sub(begun.elapsed());
            let remaining = remaining.unwrap_or(Duration::ZERO);
            let events = poll::wait(self.pipe.as_fd(), poll::IN, remaining).context("poll")?;
            ensure!(
                events != 0,
                "the child is still running after {} s",
                timeout.as_secs()
            );
            match self.pipe.read(&mut buffer).context("cannot read a pipe")? {
                0 => return String::from_utf8(text).context("the child sent no text"),
                count => text.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn reap(&mut self) -> Result<libc::c_int> {
        let mut status = 0;
        // SAFETY: the status is valid for writes.
        let ret = unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
        ensure!(ret == self.pid, "waitpid: {}", io::Error::last_os_error());
        self.has_ended = true;
        Ok(status)
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        if !self.has_ended {
            // SAFETY: the child was not waited for, so the PID is its own.
            let _ = unsafe { libc::kill(self.pid, libc::SIGKILL) };
            let _ = self.reap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // no error here: its backtrace takes a lock that another test's thread may hold at the fork
    #[test]
    fn a_child_sends_its_text() {
        let child = Forked::start(|| Ok("text".to_owned())).unwrap();
        assert_eq!(child.result().unwrap(), "text");
    }
}
