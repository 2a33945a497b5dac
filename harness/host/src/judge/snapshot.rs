// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Holds what a test did against what a reviewer has approved.
//!
//! A test's snapshot is `<file>__<program>.snap`, the same for every architecture, configuration
//! and base. Where the text truly differs for one of them, `<file>__<program>@<variant>.snap`
//! stands beside it, named for what differs. insta stores what is to be reviewed; whether a test
//! passes is decided here alone, by an exact comparison that no setting of insta's can soften.

use std::collections::BTreeSet;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

mod escape;
mod quiet;
mod text;

pub use text::{MOST_SHOWN, TooLarge, render, render_raw};

/// The snapshots of a clone, as one run sees them.
#[derive(Debug)]
pub struct Store {
    /// Where they lie.
    pub dir: PathBuf,
    /// What variants may be named for: every architecture, configuration and base.
    pub known: BTreeSet<String>,
    /// Those that this run is.
    pub of_run: BTreeSet<String>,
}

/// How a test's text stands to its snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// They are the same.
    Same,
    /// There is no snapshot: nobody has reviewed the test yet.
    Missing(Pending),
    /// They differ.
    Different(Pending),
    /// The snapshot cannot be read, or there are several.
    Unusable(String),
}

/// The file in which a new text waits for its review; none with `CI=true`.
pub type Pending = Option<PathBuf>;

/// A snapshot that no test is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreferenced {
    /// The file.
    pub path: PathBuf,
    /// Why no test is.
    pub why: &'static str,
}

impl Store {
    /// Compares `text` with the snapshot of `test`.
    ///
    /// Where they are not the same and `CI` is not set, the text is left for `make review`.
    /// `source` is the file that a reviewer will want to look at.
    #[must_use]
    pub fn compare(&self, test: &str, source: &str, text: &str) -> Comparison {
        let variants: Vec<&String> = self
            .of_run
            .iter()
            .filter(|variant| self.file(test, Some(variant)).exists())
            .collect();
        let variant = match variants[..] {
            [] => None,
            [one] => Some(one.as_str()),
            [one, other, ..] => {
                return Comparison::Unusable(format!(
                    "both {test}@{one}.snap and {test}@{other}.snap are for this run; keep one"
                ));
            }
        };
        let file = self.file(test, variant);
        let existed = file.exists();
        let found = self.assert(test, variant, source, text);
        let pending = Some(file.with_extension("snap.new")).filter(|pending| pending.exists());
        match found {
            Ok(Some(true)) => Comparison::Same,
            Ok(Some(false)) => Comparison::Different(pending),
            Ok(None) if existed => Comparison::Unusable(format!(
                "{} is no snapshot of insta's; remove it and review anew",
                file.display()
            )),
            Ok(None) => Comparison::Missing(pending),
            Err(insta) => Comparison::Unusable(insta),
        }
    }

    /// The text that was approved for `test`, for who shows the difference; none where there is no
    /// snapshot that can be read.
    #[must_use]
    pub fn approved(&self, test: &str) -> Option<String> {
        let variant = self
            .of_run
            .iter()
            .find(|variant| self.file(test, Some(variant)).exists());
        body(&self.file(test, variant.map(String::as_str))).ok()
    }

    /// The snapshots that none of `tests`, the names of all tests, is ever held against.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read.
    pub fn unreferenced(&self, tests: &[String]) -> io::Result<Vec<Unreferenced>> {
        let mut found = Vec::new();
        for entry in self.dir.read_dir()? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let why = match name.strip_suffix(".snap") {
                // Left by a run that awaits its review; git ignores them.
                None if name.ends_with(".snap.new") || name.starts_with('.') => None,
                None => Some("it is no snapshot"),
                Some(stem) => self.why_unreferenced(stem, tests)?,
            };
            found.extend(why.map(|why| Unreferenced {
                path: path.clone(),
                why,
            }));
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn why_unreferenced(&self, stem: &str, tests: &[String]) -> io::Result<Option<&'static str>> {
        let (test, variant) = match stem.split_once('@') {
            Some((test, variant)) => (test, Some(variant)),
            None => (stem, None),
        };
        if !tests.iter().any(|known| known == test) {
            return Ok(Some("no test has this name"));
        }
        let Some(variant) = variant else {
            return Ok(None);
        };
        if !self.known.contains(variant) {
            return Ok(Some(
                "no architecture, configuration or base has the name behind the @",
            ));
        }
        let common = self.file(test, None);
        if common.exists() && body(&common)? == body(&self.file(test, Some(variant)))? {
            return Ok(Some("it is the same as the snapshot without @"));
        }
        Ok(None)
    }

    fn file(&self, test: &str, variant: Option<&str>) -> PathBuf {
        self.dir.join(match variant {
            Some(variant) => format!("{test}@{variant}.snap"),
            None => format!("{test}.snap"),
        })
    }

    /// Lets insta compare and store. Whether the texts were the same; `None` where there was
    /// none to compare with; an error where insta itself failed.
    fn assert(
        &self,
        test: &str,
        variant: Option<&str>,
        source: &str,
        text: &str,
    ) -> Result<Option<bool>, String> {
        let same = Arc::new(Mutex::new(None));
        let mut settings = insta::Settings::new();
        settings.set_snapshot_path(&self.dir);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_description(source);
        settings.set_comparator(Box::new(Exact(Arc::clone(&same))));
        if let Some(variant) = variant {
            settings.set_snapshot_suffix(variant);
        }
        let told = quiet::catch(AssertUnwindSafe(|| {
            settings.bind(|| insta::assert_snapshot!(test, text))
        }));
        let same = *same.lock().unwrap_or_else(PoisonError::into_inner);
        match told {
            // insta's way to say that they differ, or that there is none.
            Err(panic) if !panic.starts_with("snapshot assertion for ") => Err(panic),
            _ => Ok(same),
        }
    }
}

/// The text of a snapshot's file.
fn body(path: &Path) -> io::Result<String> {
    Ok(text_of(&std::fs::read_to_string(path)?).to_owned())
}

/// What stands behind the metadata of a snapshot, as `file` holds it.
#[must_use]
pub fn text_of(file: &str) -> &str {
    file.splitn(3, "---\n")
        .last()
        .unwrap_or_default()
        .trim_end()
}

/// Compares to the letter, and remembers the answer.
#[derive(Clone)]
struct Exact(Arc<Mutex<Option<bool>>>);

impl insta::Comparator for Exact {
    fn matches(&self, reference: &insta::Snapshot, test: &insta::Snapshot) -> bool {
        let text = |snapshot: &insta::Snapshot| snapshot.as_text().map(ToString::to_string);
        let same = text(reference).is_some() && text(reference) == text(test);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(same);
        same
    }

    fn dyn_clone(&self) -> Box<dyn insta::Comparator> {
        Box::new(self.clone())
    }
}
