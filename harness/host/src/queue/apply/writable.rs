// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Checks that the files of a tree can be changed, before the first one is.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;
use rustix::fs::Access;

/// The write bits of owner, group and others.
const WRITE_BITS: u32 = 0o222;

/// Fails if one of the files `names` in `dir` cannot be written, added or removed.
pub fn check(dir: &Path, names: &[&str]) -> Result<()> {
    let all = || {
        check_folder(dir)?;
        names.iter().try_for_each(|name| check_file(dir, name))
    };
    all().with_context(|| format!("nothing was changed in {}", dir.display()))
}

fn check_file(dir: &Path, name: &str) -> Result<()> {
    let path = dir.join(name);
    if let Some(meta) = metadata(&path)? {
        ensure!(
            meta.is_file(),
            "{} is not a regular file, and the series changes it; replace it by the file itself",
            path.display()
        );
        check_bits(&path, &meta)?;
    }
    // the closest parent that exists; the folders below it are created
    for folder in path.ancestors().skip(1) {
        if metadata(folder)?.is_some() {
            return check_folder(folder);
        }
    }
    Ok(())
}

/// A rename, which replaces files, needs a writable folder.
fn check_folder(folder: &Path) -> Result<()> {
    let meta = fs::metadata(folder)?;
    ensure!(
        meta.is_dir(),
        "{} is not a folder, and the series changes files in it",
        folder.display()
    );
    check_bits(folder, &meta)
}

/// Root ignores the mode; a file without any write bit is rejected nevertheless, as patch(1) does.
fn check_bits(path: &Path, meta: &Metadata) -> Result<()> {
    let allowed = meta.mode() & WRITE_BITS != 0;
    let error = match rustix::fs::access(path, Access::WRITE_OK) {
        _ if !allowed => Some("it is read-only".to_owned()),
        Err(error) => Some(error.to_string()),
        Ok(()) => None,
    };
    if let Some(error) = error {
        bail!(
            "{} cannot be written: {error}; the series changes it, so make it writable (`chmod u+w`) \
             or run as its owner",
            path.display()
        );
    }
    Ok(())
}

/// The metadata of `path`, without following links; `None` if nothing exists there.
fn metadata(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
