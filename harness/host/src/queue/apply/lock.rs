// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! One `make apply` at a time in a tree.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context as _, Result};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::env::progress::Progress;

/// A lock on the folder of a tree, until it is dropped or this process ends.
#[derive(Debug)]
pub struct TreeLock(File);

impl TreeLock {
    /// Takes the lock, and says so where it has to wait for another run.
    pub fn take(dir: &Path, progress: Progress) -> Result<TreeLock> {
        let file = File::open(dir).with_context(|| format!("cannot open {}", dir.display()))?;
        // a file system that cannot lock folders (NFS) is used without a lock
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let what = format!("another `make apply` is changing {}", dir.display());
            let stage = progress.stage("wait", what);
            file.lock()
                .with_context(|| format!("cannot lock {}", dir.display()))?;
            stage.done("the other run is over");
        }
        Ok(TreeLock(file))
    }

    /// Runs `run`, whose child processes hold the lock, too: one that outlives this process keeps
    /// the next run waiting.
    pub fn with_children<T>(&self, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let inherit =
            |flags| fcntl_setfd(&self.0, flags).context("cannot hand the lock of the tree to git");
        inherit(FdFlags::empty())?;
        let outcome = run();
        inherit(FdFlags::CLOEXEC)?;
        outcome
    }
}
