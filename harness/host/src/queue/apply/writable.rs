// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Whether the files of a tree can be changed, asked before the first one is.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::Access;

/// The mode bits that let somebody write.
const WRITE_BITS: u32 = 0o222;

/// Fails where one of the files `names` below `dir` cannot be written, added or removed.
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
            "{} is not a regular file, and the series changes it; put the file itself there",
            path.display()
        );
        check_bits(&path, &meta)?;
    }
    // the nearest folder that is there: those below it are created
    for folder in path.ancestors().skip(1) {
        if metadata(folder)?.is_some() {
            return check_folder(folder);
        }
    }
    Ok(())
}

/// Files are replaced by renaming, which needs the folder to be writable.
fn check_folder(folder: &Path) -> Result<()> {
    let meta = fs::metadata(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    ensure!(
        meta.is_dir(),
        "{} is not a folder, and the series changes files in it",
        folder.display()
    );
    check_bits(folder, &meta)
}

/// Root may write whatever the mode says; a file that is read-only for everybody is left alone even
/// so, as patch(1) does.
fn check_bits(path: &Path, meta: &Metadata) -> Result<()> {
    let allowed = meta.mode() & WRITE_BITS != 0;
    let refused = match rustix::fs::access(path, Access::WRITE_OK) {
        _ if !allowed => Some("it is read-only".to_owned()),
        Err(error) => Some(error.to_string()),
        Ok(()) => None,
    };
    if let Some(why) = refused {
        bail!(
            "{} cannot be written: {why}; the series changes it, so make it writable (`chmod u+w`) \
             or run as its owner",
            path.display()
        );
    }
    Ok(())
}

/// What is at `path`, links not followed; none where nothing is.
fn metadata(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
