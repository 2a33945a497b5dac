// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The journal of a change to a tree without git: a folder in that tree, there while the change is
//! under way.
//!
//! ```text
//! .bpf-streams-apply/journal.json   the files, with what they held and what they are to hold
//! .bpf-streams-apply/old/<file>     copies of the files as they were
//! .bpf-streams-apply/new/<file>     the files as they are to be; each is renamed to its place
//! ```
//!
//! The folder gets its name when all of it is on the disk, and only then is the first file of the
//! tree changed; it loses its name when the last one is. So a tree with a journal is one that an
//! interrupted run left half-way, and a file that differs from both copies was changed by somebody
//! else since.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::fault;
use crate::env::cache_key::Digest;

/// A journal in use.
const NAME: &str = ".bpf-streams-apply";
/// One that is being written; nothing in the tree was changed yet.
const BEGUN: &str = ".bpf-streams-apply.begun";
/// One whose change is over.
const OVER: &str = ".bpf-streams-apply.over";

/// The journal of the tree at `top`.
#[derive(Debug)]
pub struct Journal {
    top: PathBuf,
    entries: Entries,
}

/// `journal.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    files: Vec<Entry>,
    /// The folders that the change creates, outer ones first.
    folders: Vec<String>,
}

/// A file of the tree, with the digests of what it held and is to hold; none for an absent file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    old: Option<String>,
    new: Option<String>,
}

impl Journal {
    /// Writes the journal of a change that makes the files `names` of the tree at `top` what they
    /// are in `from`. Nothing else in the tree is touched yet.
    pub fn begin(top: &Path, from: &Path, names: &[&str]) -> Result<Journal> {
        remove_folder(&top.join(BEGUN))?;
        let begun = top.join(BEGUN);
        let mut entries = Entries::default();
        for name in names {
            fault::point();
            let (old, new) = (top.join(name), from.join(name));
            entries.files.push(Entry {
                name: (*name).to_owned(),
                old: digest(&old)?,
                new: digest(&new)?,
            });
            if old.exists() {
                copy(&old, &begun.join("old").join(name))?;
            }
            if new.exists() {
                stage(&new, &old, &begun.join("new").join(name))?;
            }
        }
        entries.folders = missing_folders(top, &entries);
        let list = begun.join("journal.json");
        fs::create_dir_all(&begun)
            .and_then(|()| fs::write(&list, serde_json::to_vec_pretty(&entries)?))
            .with_context(|| format!("cannot write {}", list.display()))?;
        sync(&list)?;
        fault::point();
        rename(&begun, &top.join(NAME))?;
        sync(top)?;
        fault::point();
        Ok(Journal {
            top: top.to_owned(),
            entries,
        })
    }

    /// The journal that an interrupted run has left in the tree at `top`.
    pub fn find(top: &Path) -> Result<Option<Journal>> {
        // neither means that a file of the tree is half-way
        remove_folder(&top.join(BEGUN))?;
        remove_folder(&top.join(OVER))?;
        let list = top.join(NAME).join("journal.json");
        let text = match fs::read(&list) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", list.display()));
            }
        };
        let entries = serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} is no journal of `make apply`; the files as they were before it are in {}",
                list.display(),
                top.join(NAME).join("old").display()
            )
        })?;
        Ok(Some(Journal {
            top: top.to_owned(),
            entries,
        }))
    }

    /// Makes the files what they are to be, one after the other.
    pub fn carry_out(&self) -> Result<()> {
        for folder in &self.entries.folders {
            let path = self.top.join(folder);
            fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
            fault::point();
        }
        for entry in &self.entries.files {
            let place = self.top.join(&entry.name);
            match entry.new {
                Some(_) => rename(&self.copy_of("new", entry), &place)?,
                None => remove(&place)?,
            }
            fault::point();
        }
        self.end()
    }

    /// Makes the files what they were, and returns how many were not. Fails before the first one is
    /// touched where one was changed by somebody else.
    pub fn take_back(&self) -> Result<usize> {
        let changed = self.changed()?;
        for entry in &changed {
            let place = self.top.join(&entry.name);
            match entry.old {
                Some(_) => {
                    // the copy stays until the end, as this may be interrupted, too
                    let again = self.copy_of("again", entry);
                    copy(&self.copy_of("old", entry), &again)?;
                    rename(&again, &place)?;
                }
                None => remove(&place)?,
            }
            fault::point();
        }
        for folder in self.entries.folders.iter().rev() {
            // one that holds something of somebody else's stays
            let _ = fs::remove_dir(self.top.join(folder));
        }
        let count = changed.len();
        self.end()?;
        Ok(count)
    }

    /// The files that are not what they were.
    fn changed(&self) -> Result<Vec<&Entry>> {
        let mut changed = Vec::new();
        for entry in &self.entries.files {
            let place = self.top.join(&entry.name);
            let is = digest(&place)?;
            if is == entry.old {
                continue;
            }
            if is != entry.new {
                bail!(
                    "{} was changed after an interrupted `make apply`, so that its changes cannot \
                     be taken back without losing yours; {} has the files as they were before it: \
                     compare, copy them back, remove that folder and run `make apply` again",
                    place.display(),
                    self.top.join(NAME).join("old").display()
                );
            }
            changed.push(entry);
        }
        Ok(changed)
    }

    /// Takes the journal away, when all that it is about is on the disk.
    fn end(&self) -> Result<()> {
        let places = self.entries.files.iter().map(|e| self.top.join(&e.name));
        let folders: BTreeSet<PathBuf> = places
            .filter_map(|place| Some(place.parent()?.to_owned()))
            .filter(|folder| folder.exists())
            .collect();
        folders.iter().try_for_each(|folder| sync(folder))?;
        let over = self.top.join(OVER);
        rename(&self.top.join(NAME), &over)?;
        sync(&self.top)?;
        fault::point();
        // what is left of it changes nothing, and the next run removes it
        let _ = remove_folder(&over);
        Ok(())
    }

    fn copy_of(&self, kind: &str, entry: &Entry) -> PathBuf {
        self.top.join(NAME).join(kind).join(&entry.name)
    }
}

/// The folders of new files that are not there, outer ones first.
fn missing_folders(top: &Path, entries: &Entries) -> Vec<String> {
    let new = entries.files.iter().filter(|entry| entry.new.is_some());
    let folders: BTreeSet<&Path> = new
        .flat_map(|entry| Path::new(&entry.name).ancestors().skip(1))
        .filter(|folder| !top.join(folder).exists())
        .collect();
    folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect()
}

/// The digest of a file; none where there is no file.
fn digest(path: &Path) -> Result<Option<String>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut digest = Digest::default();
    digest.add("file", text);
    Ok(Some(digest.key()))
}

/// A copy with owner, mode and time, on the disk.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let what = || format!("cannot copy {} to {}", from.display(), to.display());
    create_parent(to)?;
    fs::copy(from, to).with_context(what)?;
    let meta = fs::metadata(from).with_context(what)?;
    // only root can give a file away; for others the owner is theirs, or cannot be kept
    let _ = chown(to, Some(meta.uid()), Some(meta.gid()));
    let file = File::open(to).with_context(what)?;
    let modified = meta.modified().with_context(what)?;
    file.set_modified(modified).with_context(what)?;
    file.sync_all().with_context(what)
}

/// A copy of `from` that is to replace `place`: with owner and mode of the file there, unless the
/// patches make it executable or the reverse.
fn stage(from: &Path, place: &Path, to: &Path) -> Result<()> {
    const EXECUTABLE: u32 = 0o100;
    let what = || format!("cannot copy {} to {}", from.display(), to.display());
    create_parent(to)?;
    fs::copy(from, to).with_context(what)?;
    if place.exists() {
        let old = fs::metadata(place).with_context(what)?;
        let new = fs::metadata(from).with_context(what)?;
        if (old.mode() ^ new.mode()) & EXECUTABLE == 0 {
            fs::set_permissions(to, old.permissions()).with_context(what)?;
        }
        let _ = chown(to, Some(old.uid()), Some(old.gid()));
    }
    sync(to)
}

fn create_parent(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("cannot write {} to the disk", path.display()))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
}

fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
