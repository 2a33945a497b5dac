// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Built agents in the cache, under a key of their sources and compiler.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;
use fs_err as fs;

use crate::env::arch::Arch;
use crate::env::atomic;
use crate::env::cache_key::Digest;
use crate::env::command::{cmd, output, shell_in};
use crate::env::context::Context;

/// Number of agents in the cache; each takes 3 MB.
const KEPT: usize = 16;

/// Folders of the workspace that the agent does not depend on.
const EXCLUDED: [&str; 2] = ["host", "target"];

/// The entry of one agent in the cache.
#[derive(Debug)]
pub struct AgentStore {
    folder: PathBuf,
    name: String,
}

impl AgentStore {
    /// The entry for the sources in the clone of `ctx`.
    pub fn new(ctx: &Context) -> Result<AgentStore> {
        let mut digest = Digest::default();
        let sh = shell_in(&ctx.repo)?;
        digest.add("rustc", output(cmd!(sh, "rustc -vV"))?);
        let workspace = ctx.repo.join("harness");
        add_files(&mut digest, &workspace, &EXCLUDED)?;
        Ok(AgentStore::at(
            ctx.cache_dir("agent/finished")?,
            ctx.arch,
            &digest.key(),
        ))
    }

    fn at(folder: PathBuf, arch: Arch, key: &str) -> AgentStore {
        AgentStore {
            folder,
            name: format!("{arch}-{key}"),
        }
    }

    /// The agent, if the cache has it.
    pub fn find(&self) -> Option<PathBuf> {
        Some(self.folder.join(&self.name)).filter(|path| path.is_file())
    }

    /// Copies the agent `built` into the cache.
    pub fn publish(&self, built: &Path) -> Result<PathBuf> {
        let path = self.folder.join(&self.name);
        atomic::copy(built, &path)?;
        self.remove_oldest()?;
        Ok(path)
    }

    /// Removes all but the newest agents.
    fn remove_oldest(&self) -> Result<()> {
        let mut entries: Vec<(SystemTime, PathBuf)> = fs::read_dir(&self.folder)?
            .map(|entry| {
                let entry = entry?;
                Ok((entry.metadata()?.modified()?, entry.path()))
            })
            .collect::<Result<_>>()?;
        entries.sort();
        let surplus = entries.len().saturating_sub(KEPT);
        for (_, path) in entries.into_iter().take(surplus) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// Adds the files and folders in `dir`, except those with a name in `excluded`.
fn add_files(digest: &mut Digest, dir: &Path, excluded: &[&str]) -> Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if excluded.contains(&name.as_str()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            digest.add("folder", &name);
            add_files(digest, &entry.path(), &[])?;
            digest.add("end of folder", &name);
        } else {
            digest.add(&name, fs::read(entry.path())?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(dir: &Path) -> String {
        let mut digest = Digest::default();
        add_files(&mut digest, dir, &EXCLUDED).unwrap();
        digest.key()
    }

    #[test]
    fn the_key_depends_only_on_the_contents_of_the_sources() {
        let sources = |text: &str, of_host: &str| {
            let dir = tempfile::tempdir().unwrap();
            for (file, text) in [("guest/src/main.rs", text), ("host/main.rs", of_host)] {
                let path = dir.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            dir
        };
        let one = sources("fn main() {}", "one");
        assert_eq!(key(one.path()), key(sources("fn main() {}", "two").path()));
        assert_ne!(key(one.path()), key(sources("fn main() { }", "one").path()));
        fs::write(one.path().join("Cargo.lock"), "").unwrap();
        assert_ne!(key(one.path()), key(sources("fn main() {}", "one").path()));
    }

    #[test]
    fn an_agent_is_found_under_its_key_and_the_oldest_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let built = dir.path().join("built");
        let folder = dir.path().join("finished");
        fs::create_dir(&folder).unwrap();
        let at = |key: &str| AgentStore::at(folder.clone(), Arch::X86_64, key);
        fs::write(&built, "agent").unwrap();
        assert_eq!(at("a").find(), None);
        let path = at("a").publish(&built).unwrap();
        assert_eq!(at("a").find(), Some(path.clone()));
        assert_eq!(
            AgentStore::at(folder.clone(), Arch::Arm64, "a").find(),
            None
        );
        let old = SystemTime::UNIX_EPOCH;
        fs::File::open(&path).unwrap().set_modified(old).unwrap();
        for other in 0..KEPT {
            at(&other.to_string()).publish(&built).unwrap();
        }
        assert_eq!(at("a").find(), None);
        assert!(at("0").find().is_some());
    }
}
