// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Locks a tree against a second `make apply`.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context as _, Result};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::env::progress::Progress;

/// A lock on the folder of a tree, held until it is dropped or this process ends.
#[derive(Debug)]
pub struct TreeLock(File);

impl TreeLock {
    /// Takes the lock. Shows a progress line while another run holds it.
    pub fn take(dir: &Path, progress: Progress) -> Result<TreeLock> {
        let file = File::open(dir)?;
        // file systems that cannot lock folders (NFS) are used without a lock
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let what = format!("another `make apply` is changing {}", dir.display());
            let stage = progress.stage("wait", what);
            file.lock()
                .with_context(|| format!("cannot lock {}", dir.display()))?;
            stage.done("the other run has ended");
        }
        Ok(TreeLock(file))
    }

    /// Runs `run`, whose child processes inherit the lock: the next run waits also for a child that
    /// outlives this process.
    pub fn with_children<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let inherit =
            |flags| fcntl_setfd(&self.0, flags).context("cannot pass the lock of the tree to git");
        inherit(FdFlags::empty())?;
        let outcome = run();
        inherit(FdFlags::CLOEXEC)?;
        outcome
    }
}
