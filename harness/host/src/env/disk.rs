// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Free space on the disk, checked before work that needs much.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// Fails if the disk of `dir` has less than `needed` bytes free for `what`.
pub fn ensure_free(dir: &Path, needed: u64, what: &str) -> Result<()> {
    let stat = rustix::fs::statvfs(dir)
        .with_context(|| format!("cannot get the free space of {}", dir.display()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    ensure!(
        free >= needed,
        "not enough space for {what}: it takes about {} in {}, and {} are free; free some, or set \
         XDG_CACHE_HOME to a folder on a larger disk",
        gigabytes(needed),
        dir.display(),
        gigabytes(free)
    );
    Ok(())
}

fn gigabytes(bytes: u64) -> String {
    let tenths = bytes / ((1 << 30) / 10);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        ensure_free(dir.path(), 0, "nothing").unwrap();
        let error = ensure_free(dir.path(), u64::MAX, "the kernel's build").unwrap_err();
        let text = error.to_string();
        for part in ["the kernel's build", "GiB are free", "XDG_CACHE_HOME"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.contains(&dir.path().display().to_string()), "{text}");
    }

    #[test]
    fn sizes_are_in_gigabytes() {
        assert_eq!(gigabytes(3 << 30), "3.0 GiB");
        assert_eq!(gigabytes((1 << 30) / 2), "0.5 GiB");
    }
}
