// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Keeps a folder of the cache from growing for ever.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What is younger may be in use by another run.
const IN_USE: Duration = Duration::from_secs(60 * 60);

/// Removes all entries of `dir` but the `newest`, and those that may be in use. Best effort: one
/// too many costs a little space and harms nobody, and one that is missed is made anew.
pub(super) fn prune(dir: &Path, newest: usize) {
    for path in superfluous(dir, newest, SystemTime::now()) {
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
    }
}

fn superfluous(dir: &Path, newest: usize, now: SystemTime) -> Vec<PathBuf> {
    let mut entries: Vec<(SystemTime, PathBuf)> = dir
        .read_dir()
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    entries.sort();
    entries.truncate(entries.len().saturating_sub(newest));
    entries.retain(|(time, _)| now.duration_since(*time).is_ok_and(|age| age > IN_USE));
    entries.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_old_and_beyond_the_newest_goes() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("folder")).unwrap();
        let later = SystemTime::now() + 2 * IN_USE;
        assert_eq!(superfluous(dir.path(), 1, SystemTime::now()).len(), 0);
        assert_eq!(superfluous(dir.path(), 4, later).len(), 0);
        assert_eq!(superfluous(dir.path(), 1, later).len(), 3);
        assert_eq!(superfluous(&dir.path().join("none"), 0, later).len(), 0);
    }
}
