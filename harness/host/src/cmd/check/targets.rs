// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The make targets for the files that a series touches.

use std::collections::BTreeSet;
use std::path::Path;

use crate::env::arch::Arch;

/// Folders that are not part of the kernel.
const NOT_THE_KERNEL: [&str; 5] = [
    "tools/",
    "samples/",
    "scripts/",
    "Documentation/",
    "MAINTAINERS",
];

/// Folders whose changes are compiled by building bpftool, which links libbpf.
const TOOLS: [&str; 2] = ["tools/bpf/bpftool/", "tools/lib/bpf/"];

/// The make targets: the folders of the sources in `touched`; at the top of a subsystem, whose folder
/// is too large, the objects.
pub fn folders(tree: &Path, touched: &BTreeSet<String>, arch: Arch) -> Vec<String> {
    let mut targets = BTreeSet::new();
    for file in touched.iter().filter(|file| is_kernel(file, arch)) {
        let Some(object) = file.strip_suffix(".c") else {
            continue;
        };
        match file.rsplit_once('/') {
            Some((dir, _)) if dir.contains('/') => targets.insert(format!("{dir}/")),
            _ if tree.join(file).exists() => targets.insert(format!("{object}.o")),
            _ => false,
        };
    }
    targets.into_iter().collect()
}

/// The objects of the sources in `touched` that exist in `out`.
pub fn objects(out: &Path, touched: &BTreeSet<String>, arch: Arch) -> Vec<String> {
    let sources = touched.iter().filter(|file| is_kernel(file, arch));
    sources
        .filter_map(|file| Some(format!("{}.o", file.strip_suffix(".c")?)))
        .filter(|object| out.join(object).exists())
        .collect()
}

/// Whether `file` may be part of a kernel of `arch`.
pub fn is_kernel(file: &str, arch: Arch) -> bool {
    let other_arch = file.starts_with("arch/") && !file.starts_with(&folder(arch));
    !other_arch && !NOT_THE_KERNEL.iter().any(|top| file.starts_with(top))
}

/// Whether a build may read `path`, an entry of the tree, of `tools` or of `Documentation`.
pub fn is_built(path: &str) -> bool {
    match path.split_once('/') {
        Some(("Documentation", name)) => is_kconfig(name),
        Some(("tools", name)) => name != "testing",
        _ => !["Documentation", "tools", "MAINTAINERS"].contains(&path),
    }
}

/// Whether a change of `file` is one of bpftool or libbpf.
pub fn is_tool(file: &str) -> bool {
    TOOLS.iter().any(|dir| file.starts_with(dir))
}

/// Whether `file` affects the configuration.
pub fn is_kconfig(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.starts_with("Kconfig")
}

/// The folder of `arch`, `arch/x86/`.
fn folder(arch: Arch) -> String {
    let image: Vec<&str> = arch.names().image.split('/').take(2).collect();
    format!("{}/", image.join("/"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn touched() -> BTreeSet<String> {
        [
            "Documentation/bpf/x.rst",
            "arch/arm64/net/bpf_jit_comp.c",
            "arch/x86/net/bpf_jit_comp.c",
            "include/linux/bpf.h",
            "kernel/bpf/core.c",
            "kernel/bpf/new.c",
            "kernel/not-yet.c",
            "kernel/sysctl.c",
            "tools/lib/bpf/bpf.c",
        ]
        .map(str::to_owned)
        .into()
    }

    #[test]
    fn folders_are_compiled_and_objects_at_the_top_of_a_subsystem() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("kernel")).unwrap();
        fs::write(tree.path().join("kernel/sysctl.c"), "").unwrap();
        assert_eq!(
            folders(tree.path(), &touched(), Arch::X86_64),
            ["arch/x86/net/", "kernel/bpf/", "kernel/sysctl.o"]
        );
        assert_eq!(
            folders(tree.path(), &touched(), Arch::Arm64)[0],
            "arch/arm64/net/"
        );
    }

    #[test]
    fn objects_are_those_that_were_built() {
        let out = tempfile::tempdir().unwrap();
        fs::create_dir_all(out.path().join("kernel/bpf")).unwrap();
        fs::write(out.path().join("kernel/bpf/core.o"), "").unwrap();
        assert_eq!(
            objects(out.path(), &touched(), Arch::X86_64),
            ["kernel/bpf/core.o"]
        );
    }

    #[test]
    fn what_is_no_kernel_is_told() {
        assert!(is_tool("tools/lib/bpf/bpf.c") && !is_tool("tools/testing/x.c"));
        assert!(is_kconfig("kernel/bpf/Kconfig") && !is_kconfig("kernel/bpf/core.c"));
        assert!(is_kernel("arch/arm64/net/x.S", Arch::Arm64));
        assert!(!is_kernel("arch/arm64/net/x.S", Arch::X86_64));
        assert!(!is_kernel("MAINTAINERS", Arch::X86_64) && is_kernel("Makefile", Arch::X86_64));
    }

    #[test]
    fn documents_and_tests_are_not_built() {
        for path in ["kernel", "Makefile", "tools/bpf", "Documentation/Kconfig"] {
            assert!(is_built(path), "{path}");
        }
        for path in ["MAINTAINERS", "Documentation/bpf", "tools/testing", "tools"] {
            assert!(!is_built(path), "{path}");
        }
    }
}
