// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The table of tools, `ci/tools.toml`, and which of them a purpose needs.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Tool;
use crate::env::arch::Arch;

/// A reason to need tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Applying patches to a tree and writing them back.
    Patches,
    /// Unpacking the source package of the base.
    Source,
    /// Compiling a kernel.
    Kernel,
    /// Every run, also with a kernel that was built outside.
    Run,
    /// An x86-64 guest.
    #[serde(rename = "x86-64-guest")]
    X86_64Guest,
    /// An arm64 guest.
    Arm64Guest,
    /// An arm64 guest on a machine of another architecture.
    Arm64Cross,
    /// An arm64 guest on an arm64 machine.
    Arm64Native,
    /// `make check-series`.
    Series,
    /// The documentation checks of a complete `make check-series`.
    Documentation,
    /// The tests that the series adds to the kernel's tree.
    TreeTests,
    /// The mainline base.
    Mainline,
    /// `make test`.
    Tests,
    /// The test of the set-up.
    SetupTest,
}

/// `ci/tools.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tool: Vec<Tool>,
}

static FILE: LazyLock<File> = LazyLock::new(read_file);

#[expect(
    clippy::expect_used,
    reason = "part of the program, parsed by its tests"
)]
fn read_file() -> File {
    toml::from_str(include_str!("../../../../../ci/tools.toml"))
        .expect("ci/tools.toml is a table of tools")
}

/// How the kernel is obtained; the less the harness builds, the fewer tools it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built from base and series.
    Series,
    /// Built from the user's kernel tree (`KERNEL=`).
    Tree,
    /// Built by the user (`KERNEL=`).
    Built,
}

/// The tools for `purposes`, in the order of the table.
#[must_use]
pub fn of(purposes: &[Purpose]) -> Vec<&'static Tool> {
    let is_needed = |tool: &&Tool| tool.purposes.iter().any(|known| purposes.contains(known));
    FILE.tool.iter().filter(is_needed).collect()
}

/// The tools for guests of `arch` on this machine, with a kernel of base and series.
#[must_use]
pub fn needed(arch: Arch) -> Vec<&'static Tool> {
    needed_for(arch, Origin::Series)
}

/// The tools for guests of `arch` on this machine, with a kernel of `origin`.
#[must_use]
pub fn needed_for(arch: Arch, origin: Origin) -> Vec<&'static Tool> {
    let mut purposes = vec![Purpose::Patches, Purpose::Run];
    purposes.extend_from_slice(match origin {
        Origin::Series => &[Purpose::Source, Purpose::Kernel],
        Origin::Tree => &[Purpose::Kernel],
        // bpftool is built from the base's source
        Origin::Built => &[Purpose::Source],
    });
    let is_native = Arch::of_this_machine().is_ok_and(|own| own == arch);
    purposes.extend_from_slice(match arch {
        Arch::X86_64 => &[Purpose::X86_64Guest],
        Arch::Arm64 if is_native => &[Purpose::Arm64Guest, Purpose::Arm64Native],
        Arch::Arm64 => &[Purpose::Arm64Guest, Purpose::Arm64Cross],
    });
    of(&purposes)
}

/// `tools`, each one once.
#[must_use]
pub fn distinct(tools: impl IntoIterator<Item = &'static Tool>) -> Vec<&'static Tool> {
    let mut seen = HashSet::new();
    tools
        .into_iter()
        .filter(|tool| seen.insert(tool.identity()))
        .collect()
}

/// Every tool of the table.
#[cfg(test)]
pub fn every() -> Vec<&'static Tool> {
    FILE.tool.iter().collect()
}
