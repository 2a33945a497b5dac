// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A series of patches: the files that `patches/<base>/series` lists, in that order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;

use crate::env::cache_key::Digest;

mod listing;

pub use listing::Listing;

/// File name of the cover letter, which `series` does not list.
pub const COVER_LETTER: &str = "0000-cover-letter.patch";

/// A series of patches.
#[derive(Clone, Debug)]
pub struct Series {
    /// The folder of the patches.
    pub dir: PathBuf,
    /// The patches in order.
    pub patches: Vec<Patch>,
}

/// A patch in the format of `git format-patch`.
#[derive(Clone, Debug)]
pub struct Patch {
    /// Name of the file.
    pub name: String,
    /// Path of the file.
    pub path: PathBuf,
    /// Contents of the file.
    pub text: Vec<u8>,
    /// Key of this patch and all before it.
    pub prefix_key: String,
}

impl Patch {
    /// The files that the patch adds to the tree.
    pub fn added(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.text);
        let lines: Vec<&str> = text.lines().collect();
        lines
            .windows(2)
            .filter(|pair| pair[0] == "--- /dev/null")
            .filter_map(|pair| pair[1].strip_prefix("+++ b/").map(str::to_owned))
            .collect()
    }
}

impl Series {
    /// Reads the series in `dir`. Every patch in the folder must be listed, so that none is left out
    /// by mistake.
    pub fn load(dir: &Path) -> Result<Series> {
        let path = dir.join("series");
        let text = fs::read_to_string(&path)?;
        let listing = Listing::parse(&text)
            .with_context(|| format!("{} is not a list of patches", path.display()))?;
        let mut prefix = Digest::default();
        let mut patches = Vec::new();
        for name in listing.names() {
            let path = dir.join(name);
            let text = fs::read(&path).with_context(|| {
                format!(
                    "{} lists {name}, but it cannot be read",
                    dir.join("series").display()
                )
            })?;
            prefix.add("patch", &text);
            patches.push(Patch {
                name: name.to_owned(),
                path,
                text,
                prefix_key: prefix.key(),
            });
        }
        let series = Series {
            dir: dir.to_owned(),
            patches,
        };
        series.check_complete()?;
        Ok(series)
    }

    /// Key of the whole series: of the contents of its patches in order.
    pub fn key(&self) -> String {
        match self.patches.last() {
            Some(patch) => patch.prefix_key.clone(),
            None => Digest::default().key(),
        }
    }

    fn check_complete(&self) -> Result<()> {
        let listed: BTreeSet<&str> = self.patches.iter().map(|p| p.name.as_str()).collect();
        for name in patch_files(&self.dir)? {
            if !listed.contains(name.as_str()) {
                bail!(
                    "{} is not listed in the file `series` of its folder; list it or remove it",
                    self.dir.join(name).display()
                );
            }
        }
        ensure!(
            listed.len() == self.patches.len(),
            "{} lists a patch twice",
            self.dir.join("series").display()
        );
        Ok(())
    }
}

/// The number of a patch in its subject, in git's format: `07/13`.
pub fn number(at: usize, count: usize) -> String {
    let width = count.to_string().len();
    format!("{at:0width$}/{count}")
}

/// The names of the patches in `dir`, without the cover letter.
pub fn patch_files(dir: &Path) -> Result<BTreeSet<String>> {
    let names = fs::read_dir(dir)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<String>>>()?;
    Ok(names
        .into_iter()
        .filter(|name| name.ends_with(".patch") && !name.starts_with("0000-"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn the_added_files_of_a_patch_are_found() {
        let text = "a\n---\n b | 2 ++\n\n--- /dev/null\n+++ b/new/file.c\n@@ -0,0 +1 @@\n+x\n\
                    --- a/old.c\n+++ b/old.c\n--- a/gone.c\n+++ /dev/null\n";
        let dir = dir(&[("series", "0001-a.patch\n"), ("0001-a.patch", text)]);
        let series = Series::load(dir.path()).unwrap();
        assert_eq!(series.patches[0].added(), ["new/file.c"]);
    }

    #[test]
    fn a_series_has_the_listed_patches_in_order() {
        let dir = dir(&[
            ("series", "# first\n0002-b.patch\n\n0001-a.patch\n"),
            ("0000-cover-letter.patch", ""),
            ("0001-a.patch", "a"),
            ("0002-b.patch", "b"),
            ("base.json", "{}"),
        ]);
        let series = Series::load(dir.path()).unwrap();
        let names: Vec<&str> = series.patches.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["0002-b.patch", "0001-a.patch"]);
    }

    #[test]
    fn the_key_depends_on_contents_and_order() {
        let key = |list: &str, a: &str| {
            let dir = dir(&[("series", list), ("0001-a", a), ("0002-b", "b")]);
            Series::load(dir.path()).unwrap()
        };
        let both = key("0001-a\n0002-b\n", "a");
        assert_eq!(both.key(), key("# why\n0001-a\n0002-b\n", "a").key());
        assert_ne!(both.key(), key("0002-b\n0001-a\n", "a").key());
        assert_ne!(both.key(), key("0001-a\n0002-b\n", "A").key());
        assert_eq!(both.patches[0].prefix_key, key("0001-a\n", "a").key());
        assert_ne!(both.key(), key("", "a").key());
    }

    #[test]
    fn missing_unlisted_and_repeated_patches_are_errors() {
        let error = |files: &[(&str, &str)]| {
            let dir = dir(files);
            format!("{:#}", Series::load(dir.path()).unwrap_err())
        };
        let missing = error(&[("series", "0001-a.patch\n")]);
        assert!(missing.contains("lists 0001-a.patch"), "{missing}");
        let unlisted = error(&[("series", ""), ("0001-a.patch", "")]);
        assert!(
            unlisted.contains("0001-a.patch is not listed"),
            "{unlisted}"
        );
        let doubled = error(&[("series", "a.patch\na.patch\n"), ("a.patch", "")]);
        assert!(doubled.contains("twice"), "{doubled}");
        assert!(error(&[]).contains("series"));
    }
}
