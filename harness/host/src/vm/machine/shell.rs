// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! An interactive shell in a guest.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result, ensure};

use super::board::{Board, Init};
use super::{CPUS, Tools, accel, command};
use crate::env::context::{Arch, Context};
use crate::env::guest_machine::GuestMachine;

/// Mount points of the folder of bpftool: the first folders of `PATH` in virtme-ng's init and in a login
/// shell of root. Both are empty on most machines.
const MOUNT_POINTS: &[&str] = &["run/current-system/sw/bin", "usr/local/sbin"];

/// Boots the image with the host's own root, read-only, and passes the terminal to the guest. The guest's
/// shell finds the programs in `bin`.
pub fn shell(ctx: &Context, tools: &Tools, image: &Path, bin: &Path) -> Result<ExitStatus> {
    ensure!(
        Arch::of_this_machine()? == ctx.arch,
        "the shell runs with this machine's root and needs a kernel of this machine's architecture, \
         not {}; omit ARCH, or use a machine of {0}",
        ctx.arch
    );
    let accel = accel::choose(ctx, &tools.qemu, image)?;
    let mut args = command::common(image, tools, CPUS, accel);
    if Board::of(ctx.arch).init == Init::Script {
        args.push("--no-virtme-ng-init".into());
    }
    for mount_point in MOUNT_POINTS {
        args.push("--rodir".into());
        let mut folder = OsString::from(format!("{mount_point}="));
        folder.push(bin);
        args.push(folder);
    }
    let machine = GuestMachine::of(ctx)?;
    args.extend(command::parameters(&machine));
    if !machine.qemu.is_empty() {
        args.push("--qemu-opts".into());
        args.extend(machine.qemu.iter().map(OsString::from));
    }
    // stays in the terminal's process group: Ctrl-C reaches the guest, and closing the terminal ends QEMU
    Command::new(&tools.virtme_run)
        .args(args)
        .status()
        .with_context(|| format!("cannot start virtme-ng ({})", tools.virtme_run.display()))
}
