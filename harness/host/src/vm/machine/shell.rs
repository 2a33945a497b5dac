// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! An interactive shell in a guest.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result, ensure};

use super::board::{Board, Init};
use super::{CPUS, Tools, accel, command};
use crate::env::context::{Arch, Context};

/// Where the guest sees the folder of bpftool: what stands first in the search path that virtme-ng's
/// init sets, and in the one that a login shell of root's sets. Both are empty on most machines.
const TOOLS: &[&str] = &["run/current-system/sw/bin", "usr/local/sbin"];

/// Boots the image on the host's own root, read-only, and hands the terminal over. Every program in
/// `bin` is found by the guest's shell.
pub fn shell(ctx: &Context, tools: &Tools, image: &Path, bin: &Path) -> Result<ExitStatus> {
    ensure!(
        Arch::of_this_machine()? == ctx.arch,
        "a shell runs on this machine's own root, so its kernel must be one of this machine's \
         architecture, not {}; leave ARCH out, or use an {0} machine",
        ctx.arch
    );
    let accel = accel::choose(ctx, &tools.qemu, image)?;
    let mut args = command::common(image, tools, CPUS, accel);
    if Board::of(ctx.arch).init == Init::Script {
        args.push("--no-virtme-ng-init".into());
    }
    for place in TOOLS {
        args.push("--rodir".into());
        let mut folder = OsString::from(format!("{place}="));
        folder.push(bin);
        args.push(folder);
    }
    // the terminal's own group: Ctrl-C goes to the guest, and a terminal that closes ends QEMU
    Command::new(&tools.virtme_run)
        .args(args)
        .status()
        .with_context(|| format!("cannot start virtme-ng ({})", tools.virtme_run.display()))
}
