// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Built kernels in the cache, under a key of all their inputs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::Kernel;
use crate::build::kconfig::{self, Requests};
use crate::env::atomic;
use crate::env::cache_key::Digest;
use crate::env::command::{self, cmd, shell_in};
use crate::env::context::Context;
use crate::queue::series::Series;
use crate::queue::source::Source;

/// Number of kernels in the cache; each takes less than 200 MB.
const KEPT: usize = 8;

/// The files of a kernel in the cache.
const FILES: [&str; 3] = ["image", "vmlinux", "config"];

/// `kernel.json` of an entry. The sizes identify an entry that lost data, for example in a crash of the
/// machine; it is not used.
#[derive(Debug, Serialize, Deserialize)]
struct KernelRecord {
    release: String,
    compiler: String,
    sizes: [u64; 3],
}

/// The entry of one kernel in the cache.
#[derive(Debug)]
pub struct KernelStore {
    kernels: PathBuf,
    key: String,
    /// The source package, for [`Kernel::package`].
    package: String,
}

impl KernelStore {
    /// The entry for these inputs.
    pub fn new(
        ctx: &Context,
        source: &Source,
        series: &Series,
        requests: &Requests,
    ) -> Result<KernelStore> {
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
        Ok(KernelStore {
            kernels: ctx.cache_dir("kernels")?,
            key: digest.key(),
            package: source.package.to_string(),
        })
    }

    /// The key of the inputs.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The kernel, if the entry exists and is complete.
    pub fn find(&self) -> Option<Kernel> {
        let dir = self.dir();
        let record: KernelRecord =
            serde_json::from_slice(&fs::read(dir.join("kernel.json")).ok()?).ok()?;
        if sizes(&dir).ok()? != record.sizes {
            return None;
        }
        // entries are removed in the order of their last use; an error here is harmless
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

    /// Copies `built` into the cache.
    pub fn publish(&self, built: &Kernel) -> Result<Kernel> {
        let new = atomic::new_folder(&self.kernels)?;
        for (name, file) in FILES
            .iter()
            .zip([&built.image, &built.vmlinux, &built.config])
        {
            fs::copy(file, new.path().join(name))?;
        }
        let record = KernelRecord {
            release: built.release.clone(),
            compiler: built.compiler.clone(),
            sizes: sizes(new.path())?,
        };
        let text = serde_json::to_string_pretty(&record)?;
        fs::write(new.path().join("kernel.json"), text)?;
        let dir = self.dir();
        atomic::publish(new, &dir)?;
        self.remove_oldest()?;
        self.find().with_context(|| {
            format!(
                "{} is incomplete, although it was just written",
                dir.display()
            )
        })
    }

    fn dir(&self) -> PathBuf {
        self.kernels.join(&self.key)
    }

    /// Removes all but the kernels that were used last.
    fn remove_oldest(&self) -> Result<()> {
        let mut entries: Vec<(SystemTime, PathBuf)> = fs::read_dir(&self.kernels)?
            .flatten()
            .filter(|entry| entry.path().join("kernel.json").exists())
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        entries.sort();
        let surplus = entries.len().saturating_sub(KEPT);
        for (_, dir) in entries.into_iter().take(surplus) {
            fs::remove_dir_all(&dir)?;
        }
        Ok(())
    }
}

fn sizes(dir: &Path) -> Result<[u64; 3]> {
    let mut sizes = [0; 3];
    for (size, name) in sizes.iter_mut().zip(FILES) {
        let path = dir.join(name);
        let meta = fs::metadata(&path)?;
        *size = meta.len();
    }
    Ok(sizes)
}

/// The tools whose versions affect a kernel, with their versions.
fn tool_versions(ctx: &Context) -> Result<Vec<(String, String)>> {
    let cross = ctx.arch.cross_prefix();
    let sh = shell_in("/")?;
    [
        format!("{cross}gcc"),
        format!("{cross}ld"),
        "pahole".to_owned(),
    ]
    .into_iter()
    .map(|tool| {
        let text = command::output(cmd!(sh, "{tool} --version"))
            .with_context(|| format!("cannot get the version of {tool}; see `make doctor`"))?;
        let first = text.lines().next().unwrap_or_default().to_owned();
        Ok((tool, first))
    })
    .collect()
}
