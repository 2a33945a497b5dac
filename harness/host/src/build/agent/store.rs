// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Finished agents in the cache, under a key of what they are compiled from.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::env::arch::Arch;
use crate::env::cache_key::Digest;
use crate::env::command::{command, output, shell_in};
use crate::env::context::Context;

/// How many agents are kept; each takes 3 MB.
const KEPT: usize = 16;

/// What lies in the workspace's folder and goes into no agent.
const NOT_OF_AGENTS: [&str; 2] = ["host", "target"];

/// The place of one agent in the cache.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    name: String,
}

impl Store {
    /// The place of the agent that the clone of `ctx` has the sources of.
    pub fn new(ctx: &Context) -> Result<Store> {
        let mut digest = Digest::default();
        let sh = shell_in(&ctx.repo)?;
        digest.add("rustc", output(command(&sh, "rustc").arg("-vV"))?);
        let workspace = ctx.repo.join("harness");
        add_files(&mut digest, &workspace, &NOT_OF_AGENTS).with_context(|| {
            format!("cannot read the agent's sources in {}", workspace.display())
        })?;
        Ok(Store::at(
            ctx.cache_dir("agent/finished")?,
            ctx.arch,
            &digest.key(),
        ))
    }

    fn at(folder: PathBuf, arch: Arch, key: &str) -> Store {
        Store {
            folder,
            name: format!("{arch}-{key}"),
        }
    }

    /// The agent, if it is there.
    pub fn find(&self) -> Option<PathBuf> {
        Some(self.folder.join(&self.name)).filter(|path| path.is_file())
    }

    /// Puts the agent `built` into the cache. It gets its name when all of it is there.
    pub fn publish(&self, built: &Path) -> Result<PathBuf> {
        let path = self.folder.join(&self.name);
        let publish = || -> Result<()> {
            let new = tempfile::Builder::new()
                .prefix(".new-")
                .tempfile_in(&self.folder)?;
            fs::copy(built, new.path())?;
            new.persist(&path)?;
            self.remove_oldest()
        };
        publish()
            .with_context(|| format!("cannot copy {} to {}", built.display(), path.display()))?;
        Ok(path)
    }

    /// Removes all but the agents that were built last.
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

/// Adds what lies in `dir`, but for what has one of the names in `not`.
fn add_files(digest: &mut Digest, dir: &Path, not: &[&str]) -> Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if not.contains(&name.as_str()) {
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
        add_files(&mut digest, dir, &NOT_OF_AGENTS).unwrap();
        digest.key()
    }

    #[test]
    fn the_key_is_of_the_sources_wherever_and_however_old_they_are() {
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
    fn an_agent_is_found_under_its_key_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let built = dir.path().join("built");
        let folder = dir.path().join("finished");
        fs::create_dir(&folder).unwrap();
        let at = |key: &str| Store::at(folder.clone(), Arch::X86_64, key);
        fs::write(&built, "agent").unwrap();
        assert_eq!(at("a").find(), None);
        let path = at("a").publish(&built).unwrap();
        assert_eq!(at("a").find(), Some(path.clone()));
        assert_eq!(Store::at(folder.clone(), Arch::Arm64, "a").find(), None);
        let old = SystemTime::UNIX_EPOCH;
        fs::File::open(&path).unwrap().set_modified(old).unwrap();
        for other in 0..KEPT {
            at(&other.to_string()).publish(&built).unwrap();
        }
        assert_eq!(at("a").find(), None);
        assert!(at("0").find().is_some());
    }
}
