// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Exports the series as mails, as an mbox and as a quilt series.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;

use crate::env::atomic;
use crate::queue::series::{COVER_LETTER, Series};

mod mails;
mod quilt;

/// The files of an export.
#[derive(Clone, Debug)]
pub struct Exported {
    /// One file per mail: the cover letter, and the patches as replies to it.
    pub mails: PathBuf,
    /// The patches in one file, for `git am`.
    pub mbox: PathBuf,
    /// The patches and their `series`, for quilt and `dpkg-source`.
    pub quilt: PathBuf,
}

/// Writes `series` of `base` to `out`. Replaces the files of an earlier export, and no others.
pub fn write(series: &Series, base: &str, out: &Path) -> Result<Exported> {
    ensure!(
        !series.patches.is_empty(),
        "{} has no patches; there is nothing to export",
        series.dir.display()
    );
    let cover = read_cover_letter(&series.dir)?;
    let thread = mails::thread(&cover, series, base)?;
    fs::create_dir_all(out)?;
    let scratch = atomic::new_folder(out)?;
    let exported = Exported {
        mails: out.join("mails"),
        mbox: out.join(format!("bpf-streams-{base}.mbox")),
        quilt: out.join("quilt"),
    };
    let new = |name: &str| scratch.path().join(name);
    mails::write(&thread, &new("mails"))?;
    fs::write(new("mbox"), mails::mbox(&thread))?;
    quilt::write(series, &new("quilt"))?;
    // replace the old export only when the new one is complete
    for (from, to) in [
        ("mails", &exported.mails),
        ("mbox", &exported.mbox),
        ("quilt", &exported.quilt),
    ] {
        atomic::rename(&new(from), to)?;
    }
    Ok(exported)
}

fn read_cover_letter(dir: &Path) -> Result<Vec<u8>> {
    let path = dir.join(COVER_LETTER);
    fs::read(&path).with_context(|| {
        format!(
            "cannot read {}; an export needs a cover letter",
            path.display()
        )
    })
}

#[cfg(test)]
pub mod tests;
