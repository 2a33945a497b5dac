// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The temporary folder of a run, with a short path: the path of a unix socket has at most 107 bytes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

/// Longest path of the folder that leaves space for the names of the sockets.
const MAX_PATH: usize = 80;

/// The folder; removed on drop.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// Creates the folder in the folder for temporary files, or in `/tmp` if that path is too long.
    pub fn new() -> Result<Scratch> {
        let parent = std::env::temp_dir();
        let parent = if parent.as_os_str().len() + "/bpf-streams.XXXXXX".len() > MAX_PATH {
            PathBuf::from("/tmp")
        } else {
            parent
        };
        tempfile::Builder::new()
            .prefix("bpf-streams.")
            .tempdir_in(&parent)
            .map(Scratch)
            .with_context(|| {
                format!(
                    "cannot create the folder of the run in {}",
                    parent.display()
                )
            })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The socket of the guest's channel.
    pub fn channel(&self) -> PathBuf {
        self.path().join("channel")
    }

    /// The socket of QEMU's monitor.
    pub fn qmp(&self) -> PathBuf {
        self.path().join("qmp")
    }

    /// The guest's root.
    pub fn root(&self) -> PathBuf {
        self.path().join("root")
    }
}
