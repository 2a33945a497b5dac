// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The series in the forms in which others take it: as mails, as an mbox, as a quilt series.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::queue::series::Series;

mod mails;
mod quilt;

/// The cover letter, beside the patches.
const COVER_LETTER: &str = "0000-cover-letter.patch";

/// What lies in the folder of an export.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The cover letter and the patches, a file each, as replies to the cover letter.
    pub mails: PathBuf,
    /// The patches in one file, for `git am`.
    pub mbox: PathBuf,
    /// The patches and their `series`, for quilt and `dpkg-source`.
    pub quilt: PathBuf,
}

/// Writes `series`, which is for `base`, to `out`. What an earlier export has written there is
/// replaced; nothing else there is touched.
pub fn write(series: &Series, base: &str, out: &Path) -> Result<Exported> {
    ensure!(
        !series.patches.is_empty(),
        "{} holds no patches, so there is nothing to export",
        series.dir.display()
    );
    let cover = read_cover_letter(&series.dir)?;
    let thread = mails::thread(&cover, series, base)?;
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let scratch = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(out)
        .with_context(|| format!("cannot write to {}", out.display()))?;
    let exported = Exported {
        mails: out.join("mails"),
        mbox: out.join(format!("bpf-streams-{base}.mbox")),
        quilt: out.join("quilt"),
    };
    let new = |name: &str| scratch.path().join(name);
    mails::write(&thread, &new("mails"))?;
    write_file(&new("mbox"), mails::mbox(&thread))?;
    quilt::write(series, &new("quilt"))?;
    // nothing is replaced before all of it is there
    for (from, to) in [
        ("mails", &exported.mails),
        ("mbox", &exported.mbox),
        ("quilt", &exported.quilt),
    ] {
        replace(&new(from), to)?;
    }
    Ok(exported)
}

fn read_cover_letter(dir: &Path) -> Result<Vec<u8>> {
    let path = dir.join(COVER_LETTER);
    fs::read(&path).with_context(|| {
        format!(
            "cannot read {}; a series is sent with a cover letter",
            path.display()
        )
    })
}

fn replace(from: &Path, to: &Path) -> Result<()> {
    if to.is_dir() {
        fs::remove_dir_all(to).with_context(|| format!("cannot remove {}", to.display()))?;
    }
    fs::rename(from, to).with_context(|| format!("cannot write {}", to.display()))
}

fn write_file(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
pub mod tests;
