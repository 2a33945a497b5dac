// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Every tool that the harness needs: which version will do, what proves that it works, which package
//! of Debian has it, and what it is needed for.

use super::python::Importer;
use super::{Tool, Version};
use crate::env::arch::Arch;

/// A program on the search path; `--version` proves that it runs.
const fn program(
    name: &'static str,
    minimum: Option<Version>,
    package: &'static str,
    why: &'static str,
) -> Tool {
    Tool::program(name, minimum, package, why)
}

/// What is needed to put patches onto a tree and to write them back.
pub const FOR_PATCHES: &[Tool] = &[program(
    "git",
    Some(Version(2, 28)),
    "git",
    "the series as commits; `git init -b` came with 2.28",
)];

/// What is needed to unpack the base's source package.
const FOR_SOURCE: &[Tool] = &[program(
    "xz",
    None,
    "xz-utils",
    "the kernel's source is packed with it",
)];

/// What is needed to compile a kernel, beyond what every run needs.
const FOR_KERNEL: &[Tool] = &[
    program("bc", None, "bc", "the kernel's timeconst.h").proven_by(&["-q"], "6*7\n", "42"),
    program("flex", None, "flex", "Kconfig's lexer"),
    program("bison", None, "bison", "Kconfig's parser"),
    // perl-base has a perl without these modules
    program(
        "perl",
        None,
        "perl",
        "scripts of the kernel's build, and checkpatch",
    )
    .proven_by(
        &[
            "-MTerm::ANSIColor",
            "-MEncode",
            "-MPOSIX",
            "-e",
            "print 6*7",
        ],
        "",
        "42",
    ),
    program(
        "pahole",
        Some(Version(1, 22)),
        "dwarves",
        "writes the kernel's BTF",
    ),
];

/// What every run needs, whoever built the kernel.
const FOR_EVERY_RUN: &[Tool] = &[
    program("make", Some(Version(4, 0)), "make", "builds the kernel"),
    program(
        "gcc",
        Some(Version(8, 0)),
        "gcc",
        "compiles the kernel and bpftool",
    ),
    Tool::library(
        "libc",
        "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n",
        &["-static"],
        "libc6-dev",
        "programs that build the kernel, and the guest agent",
    ),
    program("ld", None, "binutils", "links the kernel"),
    program(
        "ccache",
        Some(Version(4, 0)),
        "ccache",
        "what was compiled once is not compiled again",
    ),
    program(
        "python3",
        None,
        "python3",
        "bpf_doc.py of the kernel; virtme-ng",
    )
    .proven_by(&["-c", "print(6 * 7)"], "", "42"),
    Tool::python_module(
        "ensurepip",
        Importer::Venv,
        "python3-venv",
        "virtme-ng is installed into a venv of its own",
    ),
    Tool::library(
        "libelf",
        "#include <gelf.h>\n#include <libelf.h>\n\
         int main(void) { return elf_version(EV_CURRENT) == EV_NONE; }\n",
        &["-lelf"],
        "libelf-dev",
        "objtool, bpftool, the guest agent",
    ),
    Tool::library(
        "zlib",
        "#include <zlib.h>\nint main(void) { return !zlibVersion(); }\n",
        &["-static", "-lz"],
        "zlib1g-dev",
        "bpftool, the guest agent, compressed sections",
    ),
    program(
        "pkg-config",
        None,
        "pkg-config",
        "finds libelf for the kernel's build",
    ),
    program("kmod", None, "kmod", "virtme-ng asks for it"),
    Tool::static_program("busybox", "busybox-static", "the guest's user space").proven_by(
        &["--list"],
        "",
        "\nmount\n",
    ),
    program(
        "clang-19",
        Some(Version(19, 0)),
        "clang-19",
        "compiles the selftests; 14 is too old for arenas",
    )
    .proven_by(
        &["-target", "bpf", "-O2", "-S", "-x", "c", "-", "-o", "-"],
        "int f(void) { return 42; }\n",
        "exit",
    ),
];

/// What the checks of the series need.
pub const FOR_SERIES: &[Tool] = &[
    Tool::python_module(
        "ply",
        Importer::Scripts,
        "python3-ply",
        "checkpatch's spdxcheck.py reads SPDX lines with it",
    ),
    Tool::python_module(
        "git",
        Importer::Scripts,
        "python3-git",
        "checkpatch's spdxcheck.py finds the licences with it",
    ),
    program(
        "sparse",
        None,
        "sparse",
        "reads the kernel's notes on its pointers and locks",
    ),
    program("quilt", None, "quilt", "takes what `make export` writes"),
    program(
        "dpkg-source",
        None,
        "dpkg-dev",
        "takes what `make export` writes",
    ),
];

/// What the whole of them needs besides.
pub const FOR_DOCUMENTATION: &[Tool] = &[
    program(
        "sphinx-build",
        None,
        "python3-sphinx",
        "renders the documentation that the series touches",
    ),
    program(
        "rst2man",
        None,
        "python3-docutils",
        "writes bpftool's manual pages",
    ),
];

/// What the tests in the kernel's tree need.
pub const FOR_TREE_TESTS: &[Tool] = &[program(
    "rsync",
    None,
    "rsync",
    "the Makefile of the tree's selftests calls it",
)];

/// What the reference kernel needs besides.
pub const FOR_MAINLINE: &[Tool] = &[Tool::library(
    "libcrypto",
    "#include <openssl/opensslv.h>\n#include <openssl/cms.h>\nint main(void) { return 0; }\n",
    &["-lcrypto"],
    "libssl-dev",
    "mainline's bpftool signs programs",
)];

/// What only `make test` needs.
pub const FOR_TESTS: &[Tool] = &[
    program(
        "shellcheck",
        None,
        "shellcheck",
        "`make test` checks the scripts with it",
    ),
    program(
        "chromium",
        None,
        "chromium",
        "`make test` looks at the page of the nightly report in it",
    ),
];

/// What the test of the set-up itself needs.
pub const FOR_SETUP_TEST: &[Tool] = &[MMDEBSTRAP];

const MMDEBSTRAP: Tool = program(
    "mmdebstrap",
    None,
    "mmdebstrap",
    "unpacks packages of another architecture or release",
);

/// A machine with the devices that guests have, up to the monitor's prompt.
const MONITOR: &str = "info status\nquit\n";

const X86_64_GUEST: &[Tool] = &[program(
    "qemu-system-x86_64",
    Some(Version(7, 2)),
    "qemu-system-x86",
    "runs the guest",
)
.proven_by(
    &[
        "-machine",
        "q35,accel=tcg",
        "-nodefaults",
        "-display",
        "none",
        "-S",
        "-device",
        "virtio-serial-pci",
        "-monitor",
        "stdio",
    ],
    MONITOR,
    "VM status: paused",
)];

const ARM64_GUEST: &[Tool] = &[program(
    "qemu-system-aarch64",
    Some(Version(7, 2)),
    "qemu-system-arm",
    "runs the guest",
)
.proven_by(
    &[
        "-machine",
        "virt,accel=tcg",
        "-cpu",
        "max",
        "-nodefaults",
        "-display",
        "none",
        "-S",
        "-device",
        "virtio-serial-pci",
        "-monitor",
        "stdio",
    ],
    MONITOR,
    "VM status: paused",
)];

const ARM64_CROSS: &[Tool] = &[
    program(
        "aarch64-linux-gnu-gcc",
        Some(Version(8, 0)),
        "gcc-aarch64-linux-gnu",
        "compiles the kernel",
    )
    .proven_by(
        &["-O2", "-S", "-x", "c", "-", "-o", "-"],
        "int f(void) { return 42; }\n",
        "ret",
    ),
    program(
        "aarch64-linux-gnu-ld",
        None,
        "binutils-aarch64-linux-gnu",
        "links the kernel",
    ),
    MMDEBSTRAP,
];

/// What guests of arm64 take from an arm64 machine.
const ARM64_NATIVE: &[Tool] = &[Tool::static_program(
    "bash-static",
    "bash-static",
    "virtme-ng's init for arm64 is a script",
)];

/// Where the kernel comes from; the less the harness builds, the fewer tools it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Base and series.
    Series,
    /// A kernel tree of the user's, which the harness builds: `KERNEL=`.
    Tree,
    /// A kernel that the user built: `KERNEL=`.
    Built,
}

/// The tools for guests of `arch` on this machine.
#[must_use]
pub fn needed(arch: Arch) -> Vec<&'static Tool> {
    needed_for(arch, Origin::Series)
}

/// The tools for guests of `arch` on this machine with a kernel of that origin.
#[must_use]
pub fn needed_for(arch: Arch, origin: Origin) -> Vec<&'static Tool> {
    let guest = match arch {
        Arch::X86_64 => X86_64_GUEST,
        Arch::Arm64 => ARM64_GUEST,
    };
    let native = Arch::of_this_machine().is_ok_and(|own| own == arch);
    let cross = match arch {
        Arch::Arm64 if native => ARM64_NATIVE,
        Arch::Arm64 => ARM64_CROSS,
        _ => &[],
    };
    let builds: &[&[Tool]] = match origin {
        Origin::Series => &[FOR_SOURCE, FOR_KERNEL],
        Origin::Tree => &[FOR_KERNEL],
        // bpftool comes from the base's source
        Origin::Built => &[FOR_SOURCE],
    };
    FOR_PATCHES
        .iter()
        .chain(builds.iter().copied().flatten())
        .chain(FOR_EVERY_RUN)
        .chain(guest)
        .chain(cross)
        .collect()
}

/// Every tool of every table, for any task on this machine.
#[must_use]
pub fn every() -> Vec<&'static Tool> {
    let guests = Arch::ALL.into_iter().flat_map(needed);
    let more = [
        FOR_SERIES,
        FOR_DOCUMENTATION,
        FOR_TREE_TESTS,
        FOR_MAINLINE,
        FOR_TESTS,
        FOR_SETUP_TEST,
        ARM64_NATIVE,
        ARM64_CROSS,
    ];
    guests.chain(more.into_iter().flatten()).collect()
}
