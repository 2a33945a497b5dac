// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Locks between concurrent runs.
//!
//! A lock is an flock on a file of the cache. The kernel releases it when the process ends, also after
//! a crash, so there are no stale locks.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::env::progress::Progress;

/// A lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the open file")] File);

/// Takes the lock at `path`. Shows a progress line while another run holds it.
pub fn take(path: &Path, progress: Progress) -> Result<Lock> {
    let file = File::create(path)?;
    match file.try_lock() {
        Ok(()) => return Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => {
            let stage = progress.stage("wait", format!("another run holds {}", path.display()));
            file.lock()
                .with_context(|| format!("cannot lock {}", path.display()))?;
            stage.done("the other run has ended");
        }
        Err(TryLockError::Error(error)) => {
            bail!("cannot lock {}: {error}", path.display())
        }
    }
    Ok(Lock(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = take(&path, Progress::Silent).unwrap();
        let other = File::create(&path).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(held);
        other.try_lock().unwrap();
    }
}
