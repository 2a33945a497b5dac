// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Finished kernels in the cache, under a key of all that goes into one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::Kernel;
use crate::build::kconfig::{self, Requests};
use crate::env::arch::Arch;
use crate::env::cache_key::Digest;
use crate::env::command::{self, command, shell_in};
use crate::env::context::Context;
use crate::queue::series::Series;
use crate::queue::source::Source;

/// How many kernels are kept; each takes under 200 MB.
const KEPT: usize = 8;

/// The files of a kernel in the cache.
const FILES: [&str; 3] = ["image", "vmlinux", "config"];

/// The record of a finished kernel. It is in the entry before the entry has its name, and it holds
/// the sizes: an entry that lost something, as in a crash of the machine, is not taken.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    release: String,
    compiler: String,
    sizes: [u64; 3],
}

/// The place of one kernel in the cache.
#[derive(Debug)]
pub struct Store {
    kernels: PathBuf,
    key: String,
    /// The package of the source, which the kernel is said to be of.
    package: String,
}

impl Store {
    /// The place of the kernel of these inputs.
    pub fn new(
        ctx: &Context,
        source: &Source,
        series: &Series,
        requests: &Requests,
    ) -> Result<Store> {
        let mut digest = Digest::default();
        digest.add("package", &source.package.name);
        digest.add("version", &source.package.version);
        digest.add("series", series.key());
        digest.add("config", requests.text());
        for variable in kconfig::make_variables(ctx)? {
            digest.add("make", variable);
        }
        digest.add("arch", ctx.arch.names().name);
        for (name, version) in tool_versions(ctx)? {
            digest.add(&name, version);
        }
        Ok(Store {
            kernels: ctx.cache_dir("kernels")?,
            key: digest.key(),
            package: source.package.to_string(),
        })
    }

    /// The key of all that goes into the kernel.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The kernel, if it is there and whole.
    pub fn find(&self) -> Option<Kernel> {
        let dir = self.dir();
        let record: Record =
            serde_json::from_slice(&fs::read(dir.join("kernel.json")).ok()?).ok()?;
        if sizes(&dir).ok()? != record.sizes {
            return None;
        }
        // the oldest in use are removed first; if that cannot be noted, it is no harm
        let _ = File::open(&dir).and_then(|dir| dir.set_modified(SystemTime::now()));
        Some(Kernel {
            image: dir.join("image"),
            vmlinux: dir.join("vmlinux"),
            config: dir.join("config"),
            source: None,
            package: Some(self.package.clone()),
            build_dir: dir,
            release: record.release,
            compiler: record.compiler,
        })
    }

    /// Puts `built` into the cache. The entry gets its name when all of it is there.
    pub fn publish(&self, built: &Kernel) -> Result<Kernel> {
        let new = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&self.kernels)
            .with_context(|| format!("cannot write to {}", self.kernels.display()))?;
        for (name, file) in FILES
            .iter()
            .zip([&built.image, &built.vmlinux, &built.config])
        {
            fs::copy(file, new.path().join(name))
                .with_context(|| format!("cannot copy {} into the cache", file.display()))?;
        }
        let record = Record {
            release: built.release.clone(),
            compiler: built.compiler.clone(),
            sizes: sizes(new.path())?,
        };
        let text = serde_json::to_string_pretty(&record)?;
        fs::write(new.path().join("kernel.json"), text)
            .with_context(|| format!("cannot write to {}", new.path().display()))?;
        let dir = self.dir();
        if dir.exists() {
            // it was not whole, or `find` had taken it
            fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
        fs::rename(new.keep(), &dir).with_context(|| format!("cannot write {}", dir.display()))?;
        self.remove_oldest()?;
        self.find()
            .with_context(|| format!("{} is not whole, though it was just written", dir.display()))
    }

    fn dir(&self) -> PathBuf {
        self.kernels.join(&self.key)
    }

    /// Removes all but the kernels used last.
    fn remove_oldest(&self) -> Result<()> {
        let mut entries: Vec<(SystemTime, PathBuf)> = self
            .kernels
            .read_dir()
            .with_context(|| format!("cannot read {}", self.kernels.display()))?
            .flatten()
            .filter(|entry| entry.path().join("kernel.json").exists())
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        entries.sort();
        let surplus = entries.len().saturating_sub(KEPT);
        for (_, dir) in entries.into_iter().take(surplus) {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
        Ok(())
    }
}

fn sizes(dir: &Path) -> Result<[u64; 3]> {
    let mut sizes = [0; 3];
    for (size, name) in sizes.iter_mut().zip(FILES) {
        let path = dir.join(name);
        let meta =
            fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
        *size = meta.len();
    }
    Ok(sizes)
}

/// The tools whose version shows in a kernel.
fn tool_versions(ctx: &Context) -> Result<Vec<(String, String)>> {
    let cross = match Arch::of_this_machine() {
        Ok(own) if own == ctx.arch => "",
        _ => ctx.arch.names().cross,
    };
    let sh = shell_in("/")?;
    [
        format!("{cross}gcc"),
        format!("{cross}ld"),
        "pahole".to_owned(),
    ]
    .into_iter()
    .map(|tool| {
        let text = command::output(command(&sh, &tool).arg("--version"))
            .with_context(|| format!("cannot ask {tool} for its version; see `make doctor`"))?;
        let first = text.lines().next().unwrap_or_default().to_owned();
        Ok((tool, first))
    })
    .collect()
}
