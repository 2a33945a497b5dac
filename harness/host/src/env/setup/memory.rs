// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! That tools were found good is remembered: checking them takes seconds, and every task begins with
//! it.
//!
//! The answer is filed under the tools and the programs that the search path finds for them, and holds
//! as long as every file that it depends on is the same: programs, headers, libraries, modules.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::env::cache_key::Digest;
use crate::env::command;
use crate::env::context::Context;
use crate::env::tools::Tool;

/// What is remembered of a set of tools.
#[derive(Debug)]
pub struct Memory<'a> {
    folder: PathBuf,
    tools: &'a [&'a Tool],
}

impl<'a> Memory<'a> {
    /// The memory of `tools`.
    pub fn new(ctx: &Context, tools: &'a [&'a Tool]) -> Result<Memory<'a>> {
        Ok(Memory {
            folder: ctx.cache_dir("tools")?,
            tools,
        })
    }

    /// Whether the tools were found good, and nothing changed since.
    pub fn holds(&self) -> bool {
        self.tools.is_empty()
            || fs::read_to_string(self.file()).is_ok_and(|text| {
                let mut lines = text.lines();
                // the last line says that the file is whole
                lines.next_back() == Some(END)
                    && lines.all(|line| {
                        line.split_once(' ').is_some_and(|(stamp, path)| {
                            stamp_of(Path::new(path)).as_deref() == Some(stamp)
                        })
                    })
            })
    }

    /// Remembers that the tools are good, by the files that this depends on.
    pub fn keep(&self, files: &[PathBuf]) -> Result<()> {
        let mut files: Vec<&PathBuf> = files.iter().collect();
        files.sort();
        files.dedup();
        let mut text = String::new();
        for file in files {
            let Some(stamp) = stamp_of(file) else {
                // not a file that can be looked at again: nothing is remembered
                return Ok(());
            };
            text.push_str(&format!("{stamp} {}\n", file.display()));
        }
        text.push_str(END);
        text.push('\n');
        let path = self.file();
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Another search path, another program in it, or another tool has another file.
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

/// What changes when the file that `path` leads to is another one.
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

    fn memory<'a>(folder: &Path, tools: &'a [&'a Tool]) -> Memory<'a> {
        Memory {
            folder: folder.to_owned(),
            tools,
        }
    }

    #[test]
    fn an_answer_holds_until_a_file_changes_or_goes() {
        let dir = tempfile::tempdir().unwrap();
        let tools = needed(Arch::X86_64);
        let memory = memory(dir.path(), &tools);
        let file = dir.path().join("libx.so");
        fs::write(&file, "1").unwrap();
        assert!(!memory.holds());
        memory.keep(std::slice::from_ref(&file)).unwrap();
        assert!(memory.holds());
        fs::write(&file, "22").unwrap();
        assert!(!memory.holds());
        memory.keep(std::slice::from_ref(&file)).unwrap();
        assert!(memory.holds());
        fs::remove_file(&file).unwrap();
        assert!(!memory.holds());
    }

    #[test]
    fn an_answer_is_of_these_tools_at_these_versions() {
        let dir = tempfile::tempdir().unwrap();
        let tools = needed(Arch::X86_64);
        memory(dir.path(), &tools).keep(&[]).unwrap();
        assert!(memory(dir.path(), &tools).holds());
        assert!(!memory(dir.path(), &tools[1..]).holds());
        let newer = Tool {
            minimum: Some(Version(999, 0)),
            ..tools[0].clone()
        };
        let mut others = tools.clone();
        others[0] = &newer;
        assert!(!memory(dir.path(), &others).holds());
    }

    #[test]
    fn half_of_an_answer_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let tools = needed(Arch::X86_64);
        let memory = memory(dir.path(), &tools);
        let file = dir.path().join("libx.so");
        fs::write(&file, "1").unwrap();
        memory.keep(&[file]).unwrap();
        let text = fs::read_to_string(memory.file()).unwrap();
        fs::write(memory.file(), text.trim_end().trim_end_matches(END)).unwrap();
        assert!(!memory.holds());
        fs::write(memory.file(), "").unwrap();
        assert!(!memory.holds());
    }
}
