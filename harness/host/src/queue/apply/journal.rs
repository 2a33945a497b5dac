// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The journal of a change to a tree without git: a folder in that tree, which exists during the change.
//!
//! ```text
//! .bpf-streams-apply/journal.json   the files, with the digests of old and new contents
//! .bpf-streams-apply/old/<file>     copies of the old files
//! .bpf-streams-apply/new/<file>     the new files; each is renamed into the tree
//! ```
//!
//! The folder gets this name when it is complete and on the disk, before the first file of the tree
//! changes, and loses it after the last one. A tree with a journal is therefore one in which a run was
//! interrupted, and a file that differs from both copies was changed by the user afterwards.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::crash_point::crash_point;
use crate::env::cache_key::Digest;

/// A complete journal.
const NAME: &str = ".bpf-streams-apply";
/// A journal that is being written; no file of the tree has changed.
const INCOMPLETE: &str = ".bpf-streams-apply.new";
/// A journal of a completed change.
const DONE: &str = ".bpf-streams-apply.done";

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
    /// The folders that the change creates, parents first.
    folders: Vec<String>,
}

/// A file of the tree, with the digests of old and new contents; `None` for an absent file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    old: Option<String>,
    new: Option<String>,
}

impl Journal {
    /// Writes the journal of a change that copies the files `names` from `from` to the tree at `top`.
    /// Changes no file of the tree.
    pub fn begin(top: &Path, from: &Path, names: &[&str]) -> Result<Journal> {
        remove_folder(&top.join(INCOMPLETE))?;
        let incomplete = top.join(INCOMPLETE);
        let mut entries = Entries::default();
        for name in names {
            crash_point();
            let (old, new) = (top.join(name), from.join(name));
            entries.files.push(Entry {
                name: (*name).to_owned(),
                old: digest(&old)?,
                new: digest(&new)?,
            });
            if old.exists() {
                copy(&old, &incomplete.join("old").join(name))?;
            }
            if new.exists() {
                stage(&new, &old, &incomplete.join("new").join(name))?;
            }
        }
        entries.folders = missing_folders(top, &entries);
        let list = incomplete.join("journal.json");
        fs::create_dir_all(&incomplete)
            .and_then(|()| fs::write(&list, serde_json::to_vec_pretty(&entries)?))
            .with_context(|| format!("cannot write {}", list.display()))?;
        sync(&list)?;
        crash_point();
        rename(&incomplete, &top.join(NAME))?;
        sync(top)?;
        crash_point();
        Ok(Journal {
            top: top.to_owned(),
            entries,
        })
    }

    /// The journal of an interrupted run in the tree at `top`.
    pub fn find(top: &Path) -> Result<Option<Journal>> {
        // with these the files of the tree are all old or all new
        remove_folder(&top.join(INCOMPLETE))?;
        remove_folder(&top.join(DONE))?;
        let list = top.join(NAME).join("journal.json");
        let text = match fs::read(&list) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let entries = serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} is not a journal of `make apply`; the old files are in {}",
                list.display(),
                top.join(NAME).join("old").display()
            )
        })?;
        Ok(Some(Journal {
            top: top.to_owned(),
            entries,
        }))
    }

    /// Renames the new files into the tree, one after the other.
    pub fn carry_out(&self) -> Result<()> {
        for folder in &self.entries.folders {
            let path = self.top.join(folder);
            fs::create_dir(&path)?;
            crash_point();
        }
        for entry in &self.entries.files {
            let path = self.top.join(&entry.name);
            match entry.new {
                Some(_) => rename(&self.copy_of("new", entry), &path)?,
                None => remove(&path)?,
            }
            crash_point();
        }
        self.end()
    }

    /// Restores the old files, and returns how many had changed. Fails before the first one if the user
    /// has changed a file.
    pub fn undo(&self) -> Result<usize> {
        let changed = self.changed()?;
        for entry in &changed {
            let path = self.top.join(&entry.name);
            match entry.old {
                Some(_) => {
                    // keep the copy, since this can be interrupted as well
                    let again = self.copy_of("again", entry);
                    copy(&self.copy_of("old", entry), &again)?;
                    rename(&again, &path)?;
                }
                None => remove(&path)?,
            }
            crash_point();
        }
        for folder in self.entries.folders.iter().rev() {
            // a folder with files of the user remains
            let _ = fs::remove_dir(self.top.join(folder));
        }
        let count = changed.len();
        self.end()?;
        Ok(count)
    }

    /// The files that differ from their old contents.
    fn changed(&self) -> Result<Vec<&Entry>> {
        let mut changed = Vec::new();
        for entry in &self.entries.files {
            let path = self.top.join(&entry.name);
            let current = digest(&path)?;
            if current == entry.old {
                continue;
            }
            if current != entry.new {
                bail!(
                    "{} was changed after an interrupted `make apply`, so that undoing it would lose \
                     your changes; {} has the old files: compare, copy them back, remove that folder \
                     and run `make apply` again",
                    path.display(),
                    self.top.join(NAME).join("old").display()
                );
            }
            changed.push(entry);
        }
        Ok(changed)
    }

    /// Removes the journal after all changes are on the disk.
    fn end(&self) -> Result<()> {
        let paths = self.entries.files.iter().map(|e| self.top.join(&e.name));
        let folders: BTreeSet<PathBuf> = paths
            .filter_map(|path| Some(path.parent()?.to_owned()))
            .filter(|folder| folder.exists())
            .collect();
        folders.iter().try_for_each(|folder| sync(folder))?;
        let done = self.top.join(DONE);
        rename(&self.top.join(NAME), &done)?;
        sync(&self.top)?;
        crash_point();
        // the next run removes what this leaves
        let _ = remove_folder(&done);
        Ok(())
    }

    fn copy_of(&self, kind: &str, entry: &Entry) -> PathBuf {
        self.top.join(NAME).join(kind).join(&entry.name)
    }
}

/// The missing folders of new files, parents first.
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

/// The digest of a file; `None` if it does not exist.
fn digest(path: &Path) -> Result<Option<String>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let mut digest = Digest::default();
    digest.add("file", text);
    Ok(Some(digest.key()))
}

/// Copies a file with owner, mode and time, and waits until it is on the disk.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let what = || format!("cannot copy {} to {}", from.display(), to.display());
    create_parent(to)?;
    fs::copy(from, to).with_context(what)?;
    let meta = fs::metadata(from).with_context(what)?;
    // only root can change the owner; other users own the file or cannot keep its owner
    let _ = chown(to, Some(meta.uid()), Some(meta.gid()));
    let file = File::open(to).with_context(what)?;
    let modified = meta.modified().with_context(what)?;
    file.set_modified(modified).with_context(what)?;
    file.sync_all().with_context(what)
}

/// Copies `from`, which will replace `replaced`, to `to`: with owner and mode of `replaced`, unless the
/// patches change whether the file is executable.
fn stage(from: &Path, replaced: &Path, to: &Path) -> Result<()> {
    const EXECUTABLE: u32 = 0o100;
    let what = || format!("cannot copy {} to {}", from.display(), to.display());
    create_parent(to)?;
    fs::copy(from, to).with_context(what)?;
    if replaced.exists() {
        let old = fs::metadata(replaced).with_context(what)?;
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
    Ok(fs::create_dir_all(folder)?)
}

fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("cannot sync {}", path.display()))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    Ok(fs::rename(from, to)?)
}

fn remove(path: &Path) -> Result<()> {
    Ok(fs::remove_file(path)?)
}

fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
