// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Caches the result that a set of tools works: checking them takes seconds, and every task begins with
//! the check.
//!
//! The key is the tools and the programs that the search path finds for them. The result is valid while
//! every file that it depends on is unchanged: programs, headers, libraries, modules.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use crate::env::atomic;
use crate::env::cache_key::Digest;
use crate::env::command;
use crate::env::context::Context;
use crate::env::tools::Tool;

/// The cached result for a set of tools.
#[derive(Debug)]
pub struct CheckedTools<'a> {
    folder: PathBuf,
    tools: &'a [&'a Tool],
}

impl<'a> CheckedTools<'a> {
    /// The cached result for `tools`.
    pub fn new(ctx: &Context, tools: &'a [&'a Tool]) -> Result<CheckedTools<'a>> {
        Ok(CheckedTools {
            folder: ctx.cache_dir("tools")?,
            tools,
        })
    }

    /// Whether the tools worked, and nothing has changed since.
    pub fn is_valid(&self) -> bool {
        self.tools.is_empty()
            || fs::read_to_string(self.file()).is_ok_and(|text| {
                let mut lines = text.lines();
                // a complete file has this last line
                lines.next_back() == Some(END)
                    && lines.all(|line| {
                        line.split_once(' ').is_some_and(|(stamp, path)| {
                            stamp_of(Path::new(path)).as_deref() == Some(stamp)
                        })
                    })
            })
    }

    /// Stores that the tools work; `files` are those that this depends on.
    pub fn store(&self, files: &[PathBuf]) -> Result<()> {
        let mut files: Vec<&PathBuf> = files.iter().collect();
        files.sort();
        files.dedup();
        let mut text = String::new();
        for file in files {
            let Some(stamp) = stamp_of(file) else {
                // no file to compare later: store nothing
                return Ok(());
            };
            text.push_str(&format!("{stamp} {}\n", file.display()));
        }
        text.push_str(END);
        text.push('\n');
        atomic::write(&self.file(), text)
    }

    /// The file of the result.
    fn file(&self) -> PathBuf {
        let mut digest = Digest::default();
        for path in [command::machine_path(), command::search_path()] {
            for tool in self.tools {
                let (kind, name) = tool.identity();
                let found = tool.runs(&path).map(PathBuf::into_os_string);
                let found = found.unwrap_or_else(|| OsString::from("nowhere"));
                digest.add(name, format!("{kind} {:?} {:?}", tool.minimum, tool.proof));
                digest.add("path", found.as_encoded_bytes());
            }
        }
        self.folder.join(digest.key())
    }
}

const END: &str = "end";

/// Changes when the file at `path` changes; links are followed.
fn stamp_of(path: &Path) -> Option<String> {
    let target = fs::canonicalize(path).ok()?;
    let meta = fs::metadata(&target).ok()?;
    let (seconds, nanoseconds) = (meta.mtime(), meta.mtime_nsec());
    Some(format!(
        "{}-{}-{seconds}.{nanoseconds}-{}",
        meta.dev(),
        meta.ino(),
        meta.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::context::Arch;
    use crate::env::tools::{Version, needed};

    fn cached<'a>(folder: &Path, tools: &'a [&'a Tool]) -> CheckedTools<'a> {
        CheckedTools {
            folder: folder.to_owned(),
            tools,
        }
    }

    #[test]
    fn a_result_is_valid_until_a_file_changes_or_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let tools = needed(Arch::X86_64);
        let cached = cached(dir.path(), &tools);
        let file = dir.path().join("libx.so");
        fs::write(&file, "1").unwrap();
        assert!(!cached.is_valid());
        cached.store(std::slice::from_ref(&file)).unwrap();
        assert!(cached.is_valid());
        fs::write(&file, "22").unwrap();
        assert!(!cached.is_valid());
        cached.store(std::slice::from_ref(&file)).unwrap();
        assert!(cached.is_valid());
        fs::remove_file(&file).unwrap();
        assert!(!cached.is_valid());
    }

    #[test]
    fn a_result_is_for_these_tools_at_these_versions() {
        let dir = tempfile::tempdir().unwrap();
        let tools = needed(Arch::X86_64);
        cached(dir.path(), &tools).store(&[]).unwrap();
        assert!(cached(dir.path(), &tools).is_valid());
        assert!(!cached(dir.path(), &tools[1..]).is_valid());
        let newer = Tool {
            minimum: Some(Version(999, 0)),
            ..tools[0].clone()
        };
        let mut others = tools.clone();
        others[0] = &newer;
        assert!(!cached(dir.path(), &others).is_valid());
    }

    #[test]
    fn a_truncated_result_is_not_valid() {
        let dir = tempfile::tempdir().unwrap();
        let tools = needed(Arch::X86_64);
        let cached = cached(dir.path(), &tools);
        let file = dir.path().join("libx.so");
        fs::write(&file, "1").unwrap();
        cached.store(&[file]).unwrap();
        let text = fs::read_to_string(cached.file()).unwrap();
        fs::write(cached.file(), text.trim_end().trim_end_matches(END)).unwrap();
        assert!(!cached.is_valid());
        fs::write(cached.file(), "").unwrap();
        assert!(!cached.is_valid());
    }
}
