// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A process group that does not outlive the harness.
//!
//! The group's first process is a shell that does nothing but wait for the end of its standard
//! input, whose other end only the harness holds. When the harness is gone, however that came about
//! (Ctrl-C, a kill, a crash), the kernel closes that end, and the shell removes the run's folder and
//! kills its group. No signal handler is needed, and as long as the shell lives its group's number
//! cannot become another group's.

use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;

/// Reads until the harness is gone; then leaves nothing behind.
const GUARD: &str = r#"read -r _; rm -rf -- "$1"; kill -KILL 0"#;

/// A process group that does not outlive the harness.
#[derive(Debug)]
pub struct Group {
    guard: Child,
    // held open for as long as the group may live
    _lifeline: Option<ChildStdin>,
    id: Pid,
}

impl Group {
    /// Makes a group that removes `folder` when it has to die with the harness.
    pub fn new(folder: &Path) -> Result<Group> {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "bpf-streams-guard"])
            .arg(folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start a shell to guard the guest")?;
        Ok(Group {
            _lifeline: guard.stdin.take(),
            id: Pid::from_child(&guard),
            guard,
        })
    }

    /// Starts a command in this group.
    pub fn spawn(&self, command: &mut Command) -> std::io::Result<Child> {
        command
            .process_group(self.id.as_raw_nonzero().get())
            .spawn()
    }

    /// Kills all that is left in the group.
    pub fn kill(&self) {
        // fails only when nothing is left to be killed
        let _ = kill_process_group(self.id, Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        // the guard was killed with its group
        let _ = self.guard.wait();
    }
}
