// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The guest's root folder: the minimum for virtme-ng's init, the agent, bpftool and the objects.
//!
//! It is equal on every machine, and boots a second faster than the host's root.

use fs_err::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use fs_err as fs;

use super::{RunSpec, Userland};

/// Mount points and folders of virtme-ng's init.
const FOLDERS: &[&str] = &[
    "bin", "dev", "etc", "objects", "proc", "root", "run", "sys", "tmp", "usr/bin", "var/log",
    "var/tmp",
];

/// Programs that virtme-ng's init program runs; links to busybox.
const APPLETS: &[&str] = &["sh", "mount", "mkdir"];

/// Further programs that its init script runs.
const SCRIPT_APPLETS: &[&str] = &[
    "base64", "cat", "chmod", "chown", "cp", "cut", "dirname", "grep", "hostname", "id", "install",
    "ip", "ln", "mktemp", "poweroff", "readlink", "rm", "sed", "setsid", "sync", "touch", "uname",
];

/// The interpreter of the script, which starts bash.
const ENV: &str = "usr/bin/env";

/// Files that it bind-mounts over.
const FILES: &[(&str, &str)] = &[
    ("etc/fstab", ""),
    ("etc/shadow", ""),
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ("etc/group", "root:x:0:\n"),
];

/// Path of the agent in the guest.
pub const AGENT: &str = "/bin/bpf-streams-guest";

/// Path of bpftool, relative to the root.
const BPFTOOL: &str = "bin/bpftool";

/// Path of `test_progs` in the guest.
pub const TEST_PROGS: &str = "/bin/test_progs";

/// Fills `root`.
pub fn fill(root: &Path, spec: &RunSpec) -> Result<()> {
    for folder in FOLDERS {
        let folder = root.join(folder);
        fs::create_dir_all(&folder)?;
    }
    for (file, text) in FILES {
        let file = root.join(file);
        fs::write(&file, text)?;
    }
    fill_tools(root, &spec.tools.userland)?;
    copy(&spec.agent, &root.join(AGENT.trim_start_matches('/')))?;
    if let Some(bpftool) = &spec.bpftool {
        copy(bpftool, &root.join(BPFTOOL))?;
    }
    if let Some(program) = &spec.test_progs {
        copy(program, &root.join(TEST_PROGS.trim_start_matches('/')))?;
    }
    copy_objects(&spec.objects, &root.join("objects"))
}

fn copy_objects(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(".bpf.o") {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)?;
    Ok(())
}

fn fill_tools(root: &Path, userland: &Userland) -> Result<()> {
    copy(&userland.busybox, &root.join("bin/busybox"))?;
    let link = |name: &str, target: &str| symlink(target, root.join(name));
    for applet in APPLETS {
        link(&format!("bin/{applet}"), "busybox")?;
    }
    let Some(bash) = &userland.bash else {
        return Ok(());
    };
    copy(bash, &root.join("bin/bash"))?;
    for applet in SCRIPT_APPLETS {
        link(&format!("bin/{applet}"), "busybox")?;
    }
    Ok(link(ENV, "/bin/busybox")?)
}
