// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A process group that does not outlive the harness.
//!
//! The leader of the group is a shell that waits for the end of its standard input, a pipe from the
//! harness. When the harness ends (also by Ctrl-C, SIGKILL or a crash), the kernel closes the pipe, and the
//! shell removes the folder of the run and kills the group. This needs no signal handler, and the id of
//! the group cannot be reused while the shell runs.

use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;

/// Waits for the end of the harness, then removes the folder and kills the group.
const GUARD: &str = r#"read -r _; rm -rf -- "$1"; kill -KILL 0"#;

/// A process group that does not outlive the harness.
#[derive(Debug)]
pub struct ProcessGroup {
    guard: Child,
    // the pipe; closing it kills the group
    _lifeline: Option<ChildStdin>,
    id: Pid,
}

impl ProcessGroup {
    /// Creates a group that removes `folder` if the harness ends first.
    pub fn new(folder: &Path) -> Result<ProcessGroup> {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "bpf-streams-guard"])
            .arg(folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start a shell to guard the guest")?;
        Ok(ProcessGroup {
            _lifeline: guard.stdin.take(),
            id: Pid::from_child(&guard),
            guard,
        })
    }

    /// Starts a command in this group. xshell cannot set the process group.
    pub fn spawn(&self, command: &mut Command) -> std::io::Result<Child> {
        command
            .process_group(self.id.as_raw_nonzero().get())
            .spawn()
    }

    /// Kills all processes of the group.
    pub fn kill(&self) {
        // fails only if the group has no process
        let _ = kill_process_group(self.id, Signal::KILL);
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
        // the guard was killed with its group
        let _ = self.guard.wait();
    }
}
