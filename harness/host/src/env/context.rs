// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What every task gets: the folders, and the options that all tasks share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

pub use crate::env::arch::Arch;
use crate::env::progress::Progress;

/// The folders, and the options that all tasks share.
#[derive(Clone, Debug)]
pub struct Context {
    /// The clone that this harness belongs to.
    pub repo: PathBuf,
    /// `$XDG_CACHE_HOME/bpf-streams`: sources, kernels and tools, shared by all clones.
    pub cache: PathBuf,
    /// Name of the base, a folder under `patches/`.
    pub base: String,
    /// Architecture of the guest.
    pub arch: Arch,
    /// Name of the kernel configuration; [`PLAIN`] is the one without extra fragments.
    pub config: String,
    /// How the guest runs.
    pub accel: AccelChoice,
    /// A built kernel or a kernel tree, used instead of base and series.
    pub kernel: Option<PathBuf>,
    /// `CI=true`: a snapshot that differs is a failure, not a proposal to review.
    pub ci: bool,
    /// How many jobs a build runs at once.
    pub jobs: usize,
    /// How long the set-up of this task took.
    pub setup: Duration,
    /// Where progress is shown.
    pub progress: Progress,
}

/// The configuration without extra fragments.
pub const PLAIN: &str = "plain";

/// How the guest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AccelChoice {
    /// KVM if a probe shows that it works, else software emulation.
    Auto,
    /// KVM; without it the run fails.
    Kvm,
    /// Software emulation.
    Tcg,
}

#[cfg(test)]
impl Context {
    /// For unit tests: a clone and a cache in `root`, with the defaults of the command line.
    pub fn of_test(root: &Path) -> Context {
        Context {
            repo: root.join("repo"),
            cache: root.join("cache"),
            base: "v6.12".to_owned(),
            arch: Arch::X86_64,
            config: PLAIN.to_owned(),
            accel: AccelChoice::Tcg,
            kernel: None,
            ci: false,
            jobs: 1,
            setup: std::time::Duration::ZERO,
            progress: Progress::Silent,
        }
    }
}

impl Context {
    /// `patches/<base>/`.
    pub fn patches(&self) -> PathBuf {
        self.repo.join("patches").join(&self.base)
    }

    /// `build/<base>/<arch>[-<config>]/`: the results of builds and runs.
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

    /// A folder of the cache, created if it does not exist.
    pub fn cache_dir(&self, name: impl AsRef<Path>) -> Result<PathBuf> {
        let dir = self.cache.join(name);
        fs_err::create_dir_all(&dir).context("cannot create a cache folder; see XDG_CACHE_HOME")?;
        Ok(dir)
    }
}

/// The clone that this harness belongs to: the closest parent of the working folder that holds
/// `patches/` and `harness/`, else the clone in which the binary was built.
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
                "{} is not in a clone of bpf-streams (a folder with patches/ and harness/); run this \
                 command in one",
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
            .context("neither XDG_CACHE_HOME nor HOME is set, so the cache has no folder")?
            .join(".cache"),
    };
    ensure!(
        root.is_absolute(),
        "the cache folder {} is not an absolute path; set XDG_CACHE_HOME",
        root.display()
    );
    Ok(root.join("bpf-streams"))
}
