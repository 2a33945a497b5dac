// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The programs that virtme-ng's init runs in a guest: static, and of the guest's architecture.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::board::{Board, Init};
use crate::build::sysroot;
use crate::env::command;
use crate::env::context::Context;

/// Paths of the programs on this machine.
#[derive(Clone, Debug)]
pub struct Userland {
    /// busybox.
    pub busybox: PathBuf,
    /// bash, if the init is virtme-ng's script.
    pub bash: Option<PathBuf>,
}

impl Userland {
    /// Finds the programs: this machine's, or those in the sysroot of a foreign architecture.
    pub fn find(ctx: &Context) -> Result<Userland> {
        let sysroot = sysroot::find(ctx)?;
        let program = |name: &str, package: &str| match &sysroot {
            Some(sysroot) => in_sysroot(sysroot, name),
            None => command::find(name)
                .with_context(|| format!("{name} is missing; install the package {package}")),
        };
        let bash = match Board::of(ctx.arch).init {
            Init::Script => Some(program("bash-static", "bash-static")?),
            Init::Program => None,
        };
        Ok(Userland {
            busybox: program("busybox", "busybox-static")?,
            bash,
        })
    }
}

fn in_sysroot(sysroot: &Path, name: &str) -> Result<PathBuf> {
    ["bin", "usr/bin"]
        .iter()
        .map(|folder| sysroot.join(folder).join(name))
        .find(|path| path.is_file())
        .with_context(|| {
            format!(
                "{name} is not in {}; remove that folder, and the next run creates it again",
                sysroot.display()
            )
        })
}
