// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Builds bpftool and libbpf's headers out of the patched tree.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::context::Context;
use crate::kernel::Kernel;

/// bpftool of the patched tree, and what was built on the way.
#[derive(Clone, Debug)]
pub struct Bpftool {
    /// The program: static, so that it also runs in a guest whose root holds nothing else.
    pub path: PathBuf,
    /// The folder that holds `bpf/bpf_helpers.h` and libbpf's other headers.
    pub include: PathBuf,
}

/// Builds bpftool, or finds it built.
pub fn build(_ctx: &Context, _kernel: &Kernel) -> Result<Bpftool> {
    bail!("not written yet")
}
