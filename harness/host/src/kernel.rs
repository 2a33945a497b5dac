// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Builds the kernel that a guest boots.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::context::Context;

/// A built kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What QEMU boots.
    pub image: PathBuf,
    /// The kernel with its symbols and types.
    pub vmlinux: PathBuf,
    /// The resolved configuration.
    pub config: PathBuf,
    /// The patched tree it was built from, where that is known.
    pub source: Option<PathBuf>,
    /// The folder of the build.
    pub build_dir: PathBuf,
    /// `uname -r`, for example `6.12.117-bpf-streams`.
    pub release: String,
    /// First line of the compiler's `--version`.
    pub compiler: String,
}

/// Builds the kernel that `ctx` asks for, or finds it built.
pub fn build(_ctx: &Context) -> Result<Kernel> {
    bail!("not written yet")
}
