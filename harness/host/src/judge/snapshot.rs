// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Compares what a test did with the snapshot that a reviewer approved.
//!
//! The snapshot of a test is `<file>/<program>.snap`, the same for every architecture, configuration
//! and base. Where the text of one of them truly differs, `<file>/<program>@<variant>.snap` is used
//! there instead; `<variant>` names what differs.
//!
//! Files have insta's format, so that `cargo insta` shows and approves pending texts. The comparison
//! is done here, byte for byte; no setting of insta changes it.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use fs_err as fs;

mod escape;
mod text;

pub use text::{MOST_SHOWN, TooLarge, render, render_raw};

/// The snapshots of a clone, as one run uses them.
#[derive(Debug)]
pub struct Snapshots {
    /// The folder that holds a folder for each file of `selftests/`.
    pub dir: PathBuf,
    /// Valid names of variants: every architecture, configuration and base.
    pub known: BTreeSet<String>,
    /// The architecture, configuration and base of this run.
    pub of_run: BTreeSet<String>,
    /// Whether a text that differs is written to `<program>.snap.new` for review; false in CI.
    pub write_pending: bool,
}

/// How the text of a test compares with its snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Both are the same.
    Same,
    /// The test has no snapshot yet.
    Missing(Pending),
    /// The texts differ.
    Different(Pending),
    /// The snapshot cannot be read, the pending text cannot be written, or two variants apply.
    Unusable(String),
}

/// The file with the text that waits for review; none in CI.
pub type Pending = Option<PathBuf>;

/// A file or folder that no test uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreferenced {
    /// Its path.
    pub path: PathBuf,
    /// Why no test uses it.
    pub why: &'static str,
}

impl Snapshots {
    /// Compares `text` with the snapshot of `test`.
    ///
    /// A text that differs is written next to the snapshot for `make review`, unless this is CI.
    /// `source` is the file that defines the test.
    #[must_use]
    pub fn compare(&self, test: &str, source: &str, text: &str) -> Comparison {
        self.try_compare(test, source, text)
            .unwrap_or_else(|error| Comparison::Unusable(error.to_string()))
    }

    fn try_compare(&self, test: &str, source: &str, text: &str) -> io::Result<Comparison> {
        let variants: Vec<&String> = self
            .of_run
            .iter()
            .filter(|variant| self.file(test, Some(variant)).exists())
            .collect();
        let variant = match variants[..] {
            [] => None,
            [one] => Some(one.as_str()),
            [one, other, ..] => {
                return Ok(Comparison::Unusable(format!(
                    "both {} and {} apply to this run; remove one of them",
                    self.file(test, Some(one)).display(),
                    self.file(test, Some(other)).display()
                )));
            }
        };
        let file = self.file(test, variant);
        let text = text.trim_end();
        match read(&file) {
            Ok(approved) if approved == text => {
                self.remove_pending(&file)?;
                Ok(Comparison::Same)
            }
            Ok(_) => Ok(Comparison::Different(
                self.store_pending(&file, source, text)?,
            )),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Comparison::Missing(
                self.store_pending(&file, source, text)?,
            )),
            Err(error) => Err(error),
        }
    }

    /// The approved text of `test`; none where `test` has no readable snapshot.
    #[must_use]
    pub fn approved(&self, test: &str) -> Option<String> {
        let variant = self
            .of_run
            .iter()
            .find(|variant| self.file(test, Some(variant)).exists());
        read(&self.file(test, variant.map(String::as_str))).ok()
    }

    /// The files and folders that none of `tests` uses; `tests` must hold the names of all tests.
    ///
    /// # Errors
    ///
    /// Where a folder or a snapshot cannot be read.
    pub fn unreferenced(&self, tests: &[String]) -> io::Result<Vec<Unreferenced>> {
        let mut found = Vec::new();
        for path in entries(&self.dir)? {
            let name = file_name(&path);
            if !path.is_dir() {
                found.push(Unreferenced {
                    path,
                    why: "only folders belong here; a snapshot is <file>/<program>.snap",
                });
            } else if tests.iter().any(|test| split(test).0 == name) {
                self.unreferenced_of_file(&name, tests, &mut found)?;
            } else if !entries(&path)?.is_empty() {
                found.push(Unreferenced {
                    path,
                    why: "no file of tests has this name",
                });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Adds the unreferenced entries of the folder of `file`.
    fn unreferenced_of_file(
        &self,
        file: &str,
        tests: &[String],
        found: &mut Vec<Unreferenced>,
    ) -> io::Result<()> {
        for path in entries(&self.dir.join(file))? {
            let why = match file_name(&path).strip_suffix(".snap") {
                Some(stem) if path.is_file() => self.why_unreferenced(file, stem, tests)?,
                _ => Some("it is not a snapshot"),
            };
            found.extend(why.map(|why| Unreferenced { path, why }));
        }
        Ok(())
    }

    fn why_unreferenced(
        &self,
        file: &str,
        stem: &str,
        tests: &[String],
    ) -> io::Result<Option<&'static str>> {
        let (program, variant) = match stem.split_once('@') {
            Some((program, variant)) => (program, Some(variant)),
            None => (stem, None),
        };
        let Some(test) = tests.iter().find(|test| split(test) == (file, program)) else {
            return Ok(Some("no test has this name"));
        };
        let Some(variant) = variant else {
            return Ok(None);
        };
        if !self.known.contains(variant) {
            return Ok(Some(
                "the name after @ is not an architecture, a configuration or a base",
            ));
        }
        let common = self.file(test, None);
        if common.exists() && read(&common)? == read(&self.file(test, Some(variant)))? {
            return Ok(Some("it is the same as the snapshot without @"));
        }
        Ok(None)
    }

    fn file(&self, test: &str, variant: Option<&str>) -> PathBuf {
        let (file, program) = split(test);
        self.dir.join(file).join(match variant {
            Some(variant) => format!("{program}@{variant}.snap"),
            None => format!("{program}.snap"),
        })
    }

    /// Writes `text` to `<program>.snap.new` in the format that insta reads.
    fn store_pending(&self, file: &Path, source: &str, text: &str) -> io::Result<Pending> {
        if !self.write_pending {
            return Ok(None);
        }
        let pending = pending(file);
        if let Some(folder) = pending.parent() {
            fs::create_dir_all(folder)?;
        }
        let this = file!();
        let content = format!("---\nsource: {this}\ndescription: {source}\n---\n{text}\n");
        fs::write(&pending, content)?;
        Ok(Some(pending))
    }

    /// Removes a pending text that an earlier run wrote: there is nothing to review any more.
    fn remove_pending(&self, file: &Path) -> io::Result<()> {
        if !self.write_pending {
            return Ok(());
        }
        match fs::remove_file(pending(file)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// File and program of the test `<file>__<program>`.
#[must_use]
pub fn split(test: &str) -> (&str, &str) {
    test.split_once("__").unwrap_or((test, ""))
}

fn pending(file: &Path) -> PathBuf {
    file.with_extension("snap.new")
}

/// The entries of a folder, without pending texts and hidden files, which git ignores.
fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = file_name(&path);
        if !name.ends_with(".snap.new") && !name.starts_with('.') {
            paths.push(path);
        }
    }
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The text of a snapshot's file.
fn read(path: &Path) -> io::Result<String> {
    let file = fs::read_to_string(path)?;
    text_of(&file).map(str::to_owned).ok_or_else(|| {
        let message = format!(
            "{} is not a snapshot in insta's format; remove it and review the new text",
            path.display()
        );
        io::Error::new(ErrorKind::InvalidData, message)
    })
}

/// The text after the metadata of a snapshot; none where `file` does not begin with metadata.
#[must_use]
pub fn text_of(file: &str) -> Option<&str> {
    let (metadata, text) = file.strip_prefix("---\n")?.split_once("\n---\n")?;
    metadata
        .lines()
        .all(|line| line.contains(": "))
        .then(|| text.trim_end())
}
