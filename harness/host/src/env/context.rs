// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What every task knows: where things lie, and what was asked for.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

pub use crate::env::arch::Arch;
use crate::env::progress::Progress;

/// Where things lie, and what was asked for.
#[derive(Clone, Debug)]
pub struct Context {
    /// The clone that this harness belongs to.
    pub repo: PathBuf,
    /// What outlives a clone: sources, kernels, tools. `$XDG_CACHE_HOME/bpf-streams`.
    pub cache: PathBuf,
    /// Name of the base, a folder under `patches/`.
    pub base: String,
    /// Architecture of the guest.
    pub arch: Arch,
    /// Name of the kernel configuration; [`PLAIN`] is the one without extra fragments.
    pub config: String,
    /// How the guest is to be run.
    pub accel: AccelChoice,
    /// A built kernel or a kernel tree to take instead of base and series.
    pub kernel: Option<PathBuf>,
    /// `CI=true`: nobody is there to review, so a difference is a failure.
    pub ci: bool,
    /// How many jobs a build runs at once.
    pub jobs: usize,
    /// Where progress is told.
    pub progress: Progress,
}

/// The configuration without extra fragments.
pub const PLAIN: &str = "plain";

/// How the guest is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AccelChoice {
    /// KVM where a probe shows that it works, software emulation elsewhere.
    Auto,
    /// KVM, or failure.
    Kvm,
    /// Software emulation.
    Tcg,
}

impl Context {
    /// `patches/<base>/`.
    pub fn patches(&self) -> PathBuf {
        self.repo.join("patches").join(&self.base)
    }

    /// `build/<base>/<arch>[-<config>]/`: what a build and a run leave for the user.
    pub fn build_dir(&self) -> PathBuf {
        let folder = match self.config.as_str() {
            PLAIN => self.arch.to_string(),
            config => format!("{}-{config}", self.arch),
        };
        self.repo.join("build").join(&self.base).join(folder)
    }

    /// `build/<base>/tree/`: the git tree of `make tree`.
    pub fn tree(&self) -> PathBuf {
        self.repo.join("build").join(&self.base).join("tree")
    }

    /// `selftests/`.
    pub fn selftests(&self) -> PathBuf {
        self.repo.join("selftests")
    }

    /// A folder of the cache, created when it is not there.
    pub fn cache_dir(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let dir = self.cache.join(name);
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot create the cache folder {}", dir.display()))?;
        Ok(dir)
    }
}

/// The clone that this harness belongs to: the closest parent of the working folder that holds
/// `patches/` and `harness/`, else the clone that the binary was built in.
pub fn find_repo() -> Result<PathBuf> {
    let is_repo = |dir: &Path| dir.join("patches").is_dir() && dir.join("harness").is_dir();
    let here = std::env::current_dir().context("cannot read the working folder")?;
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .chain(built_in.ancestors())
        .find(|dir| is_repo(dir))
        .map(Path::to_path_buf)
        .with_context(|| {
            format!(
                "{} is in no clone of bpf-streams (a folder with patches/ and harness/); \
                 run this from inside one",
                here.display()
            )
        })
}

/// `$XDG_CACHE_HOME/bpf-streams`, else `~/.cache/bpf-streams`.
pub fn find_cache() -> Result<PathBuf> {
    let xdg = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute());
    let root = match xdg {
        Some(dir) => dir,
        None => std::env::home_dir()
            .context("neither XDG_CACHE_HOME nor HOME is set, so there is no place for a cache")?
            .join(".cache"),
    };
    ensure!(
        root.is_absolute(),
        "the cache folder {} is not an absolute path; set XDG_CACHE_HOME",
        root.display()
    );
    Ok(root.join("bpf-streams"))
}
