// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Locks between runs, so that two at once do not disturb each other.
//!
//! They are flocks on files of the cache: the kernel gives them up when a run ends, however it ends,
//! so none is ever left behind.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::env::progress::Progress;

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock lasts as long as the open file")] File);

/// Takes the lock at `path`, and says so where it has to wait for another run.
pub fn take(path: &Path, progress: Progress) -> Result<Lock> {
    let file = File::create(path).with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => {
            let stage = progress.stage("wait", format!("another run holds {}", path.display()));
            file.lock()
                .with_context(|| format!("cannot lock {}", path.display()))?;
            stage.done("the other run is over");
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
    fn a_lock_is_held_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = take(&path, Progress::Silent).unwrap();
        let other = File::create(&path).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(held);
        other.try_lock().unwrap();
    }
}
