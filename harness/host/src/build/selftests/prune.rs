// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Limits the number of entries in a folder of the cache.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fs_err as fs;

/// Entries that are newer may be in use by another run.
const MIN_AGE: Duration = Duration::from_secs(60 * 60);

/// Removes all but the `newest` entries of `dir`, except those that may be in use. Ignores errors: an old
/// entry only costs space.
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
    entries.retain(|(time, _)| now.duration_since(*time).is_ok_and(|age| age > MIN_AGE));
    entries.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_entries_beyond_the_newest_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("folder")).unwrap();
        let later = SystemTime::now() + 2 * MIN_AGE;
        assert_eq!(superfluous(dir.path(), 1, SystemTime::now()).len(), 0);
        assert_eq!(superfluous(dir.path(), 4, later).len(), 0);
        assert_eq!(superfluous(dir.path(), 1, later).len(), 3);
        assert_eq!(superfluous(&dir.path().join("none"), 0, later).len(), 0);
    }
}
