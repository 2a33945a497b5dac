// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The guest's root folder: as little as virtme-ng's init needs, the agent, bpftool, and the objects.
//!
//! It boots a second faster than the host's own root, and is the same on every machine.

use fs_err::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::{RunSpec, Userland};

/// What virtme-ng's init mounts over, or looks into.
const FOLDERS: &[&str] = &[
    "bin", "dev", "etc", "objects", "proc", "root", "run", "sys", "tmp", "usr/bin", "var/log",
    "var/tmp",
];

/// What virtme-ng's program runs, all of it busybox.
const APPLETS: &[&str] = &["sh", "mount", "mkdir"];

/// What its script runs besides.
const SCRIPT_APPLETS: &[&str] = &[
    "base64", "cat", "chmod", "chown", "cp", "cut", "dirname", "grep", "hostname", "id", "install",
    "ip", "ln", "mktemp", "poweroff", "readlink", "rm", "sed", "setsid", "sync", "touch", "uname",
];

/// Where the script looks for bash, and by which program.
const ENV: &str = "usr/bin/env";

/// What it mounts files over.
const FILES: &[(&str, &str)] = &[
    ("etc/fstab", ""),
    ("etc/shadow", ""),
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ("etc/group", "root:x:0:\n"),
];

/// Where the agent lies in the guest.
pub const AGENT: &str = "/bin/bpf-streams-guest";

/// Where the agent finds bpftool.
const BPFTOOL: &str = "bin/bpftool";

/// Where a `test_progs` of the kernel's tree lies in the guest.
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
    let what = || format!("cannot list the selftests' objects in {}", from.display());
    for entry in fs::read_dir(from).with_context(what)? {
        let entry = entry.with_context(what)?;
        if entry.file_name().to_string_lossy().ends_with(".bpf.o") {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    Ok(fs::copy(from, to).map(drop)?)
}

fn fill_tools(root: &Path, userland: &Userland) -> Result<()> {
    copy(&userland.busybox, &root.join("bin/busybox"))?;
    let link = |name: &str, target: &str| {
        let link = root.join(name);
        symlink(target, &link).with_context(|| format!("cannot link {}", link.display()))
    };
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
    link(ENV, "/bin/busybox")
}
