// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Atomic replacement of files, links and folders: the new one is written under a temporary name next
//! to the old one, and then renamed. An interrupted run leaves the old or the new one, never a part.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err as fs;
use tempfile::{Builder, TempDir};

/// Prefix of temporary names.
const PREFIX: &str = ".new-";

/// Replaces the file at `path` by one with `contents`.
pub fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    replace(path, |new| Ok(fs::write(new, contents)?))
}

/// Like [`write`], and `contents` are on the disk before the rename.
pub fn write_synced(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    replace(path, |new| {
        let mut file = fs::File::create(new)?;
        file.write_all(contents.as_ref())?;
        Ok(file.sync_all()?)
    })
}

/// Like [`write`], for an executable file.
pub fn write_executable(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    replace(path, |new| {
        fs::write(new, contents)?;
        Ok(fs::set_permissions(new, Permissions::from_mode(0o755))?)
    })
}

/// Replaces the file at `path` by a copy of `from`, with the mode of `from`.
pub fn copy(from: &Path, path: &Path) -> Result<()> {
    replace(path, |new| Ok(fs::copy(from, new).map(drop)?))
}

/// Replaces the file at `path` by the one that `fill` writes at the temporary path it gets.
pub fn replace(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let new = builder()
        // the umask applies, as for any new file
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder_of(path))
        .with_context(|| cannot_write(path))?
        .into_temp_path();
    fill(&new)?;
    new.persist(path).with_context(|| cannot_write(path))
}

/// Replaces the file or link at `link` by a symbolic link to `target`.
pub fn symlink(target: &Path, link: &Path) -> Result<()> {
    builder()
        .make_in(folder_of(link), |new| {
            std::os::unix::fs::symlink(target, new)
        })
        .and_then(|new| Ok(new.into_temp_path().persist(link)?))
        .with_context(|| format!("cannot link {} to {}", link.display(), target.display()))
}

/// A new folder in `parent`, for [`publish`]. Dropped without that, it is removed.
pub fn new_folder(parent: &Path) -> Result<TempDir> {
    builder()
        .tempdir_in(parent)
        .with_context(|| format!("cannot create a folder in {}", parent.display()))
}

/// Gives `new` the name `path`. A folder cannot be replaced in one step: an older one at `path` is
/// removed first, so that `path` is complete or absent.
pub fn publish(new: TempDir, path: &Path) -> Result<()> {
    rename(new.path(), path)?;
    // its name is gone, so nothing is left to remove
    let _: PathBuf = new.keep();
    Ok(())
}

/// Gives the file or folder `new` the name `path`, as [`publish`] does.
pub fn rename(new: &Path, path: &Path) -> Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path)?;
    }
    Ok(fs::rename(new, path)?)
}

fn builder<'a>() -> Builder<'a, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX);
    builder
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;
    use crate::test_support::names;

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_no_temporary_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write(&path, "old").unwrap();
        let failed = replace(&path, |new| {
            fs::write(new, "half")?;
            bail!("the disk is full")
        });
        assert!(failed.unwrap_err().to_string().contains("disk is full"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        write(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(dir.path()), ["file"]);
    }

    #[test]
    fn files_have_the_mode_of_any_new_file_and_scripts_are_executable() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            let meta = fs::metadata(dir.path().join(name)).unwrap();
            meta.permissions().mode() & 0o777
        };
        fs::write(dir.path().join("plain"), "").unwrap();
        write(&dir.path().join("file"), "").unwrap();
        write_synced(&dir.path().join("synced"), "").unwrap();
        assert_eq!(
            (mode("file"), mode("synced")),
            (mode("plain"), mode("plain"))
        );
        write_executable(&dir.path().join("script"), "#!/bin/sh\n").unwrap();
        copy(&dir.path().join("script"), &dir.path().join("copy")).unwrap();
        assert_eq!((mode("script"), mode("copy")), (0o755, 0o755));
    }

    #[test]
    fn a_link_replaces_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        for target in ["one", "two"] {
            symlink(Path::new(target), &link).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(target));
        }
        assert_eq!(names(dir.path()), ["link"]);
        let error = symlink(Path::new("a"), &dir.path().join("no/link")).unwrap_err();
        assert!(error.to_string().contains("no/link"), "{error}");
    }

    #[test]
    fn a_published_folder_replaces_an_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("entry");
        for name in ["old", "new"] {
            let new = new_folder(dir.path()).unwrap();
            fs::write(new.path().join(name), "").unwrap();
            publish(new, &path).unwrap();
            assert_eq!(names(&path), [name]);
        }
        drop(new_folder(dir.path()).unwrap());
        assert_eq!(names(dir.path()), ["entry"]);
    }
}
