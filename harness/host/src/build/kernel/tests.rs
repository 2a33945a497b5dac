// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Kernels whose files are empty.

use std::path::Path;

use super::*;
use crate::build::kconfig::Requests;
use crate::env::context::Arch;
use crate::queue::base::Base;
use crate::queue::source::{Package, Source};

const CONFIG: &str = "#\n# Automatically generated file; DO NOT EDIT.\n\
    # Linux/x86 6.12.117 Kernel Configuration\n#\n\
    CONFIG_CC_VERSION_TEXT=\"gcc (Debian 12.2.0-14) 12.2.0\"\nCONFIG_LOCALVERSION=\"-bpf-streams\"\n";

struct TestCache {
    root: tempfile::TempDir,
    ctx: Context,
}

fn test_cache() -> TestCache {
    let root = tempfile::tempdir().unwrap();
    let ctx = Context::of_test(root.path());
    TestCache { root, ctx }
}

impl TestCache {
    /// A build folder of the kernel's make.
    fn build_folder(&self, name: &str) -> PathBuf {
        let dir = self.root.path().join(name);
        fs::create_dir_all(dir.join("arch/x86/boot")).unwrap();
        fs::write(dir.join("arch/x86/boot/bzImage"), "image").unwrap();
        fs::write(dir.join("vmlinux"), "with types").unwrap();
        fs::write(dir.join(".config"), CONFIG).unwrap();
        dir
    }

    fn store(&self, version: &str, config: &str) -> KernelStore {
        let source = Source {
            base: Base {
                title: String::new(),
                package: "linux-source-6.12".to_owned(),
                suite: None,
                tested_with: "6.12.117".to_owned(),
                ..Base::default()
            },
            package: Package {
                name: "linux-source-6.12".to_owned(),
                version: version.to_owned(),
            },
        };
        let series = Series {
            dir: PathBuf::new(),
            patches: Vec::new(),
        };
        let requests = Requests::parse(config).unwrap();
        KernelStore::new(&self.ctx, &source, &series, &requests).unwrap()
    }
}

#[test]
fn a_kernel_is_found_only_for_its_inputs() {
    let cache = test_cache();
    let built = external::find_or_build(&cache.ctx, &cache.build_folder("out")).unwrap();
    let store = cache.store("6.12.117-1", "CONFIG_BPF=y\n");
    assert!(store.find().is_none());
    let kernel = store.publish(&built).unwrap();
    assert_eq!(kernel.release, "6.12.117-bpf-streams");
    assert!(cache.store("6.12.117-1", "CONFIG_BPF=y\n").find().is_some());
    assert_eq!(
        kernel.package.as_deref(),
        Some("linux-source-6.12 6.12.117-1")
    );
    assert!(cache.store("6.12.118-1", "CONFIG_BPF=y\n").find().is_none());
    assert!(cache.store("6.12.117-1", "CONFIG_BPF=n\n").find().is_none());
}

#[test]
fn an_incomplete_entry_is_not_used_and_is_replaced() {
    let cache = test_cache();
    let built = external::find_or_build(&cache.ctx, &cache.build_folder("out")).unwrap();
    let store = cache.store("6.12.117-1", "");
    let kernel = store.publish(&built).unwrap();
    for file in ["image", "vmlinux", "config", "kernel.json"] {
        fs::write(kernel.build_dir.join(file), "").unwrap();
        assert!(store.find().is_none(), "{file} is empty");
        fs::remove_file(kernel.build_dir.join(file)).unwrap();
        assert!(store.find().is_none(), "{file} is missing");
        store.publish(&built).unwrap();
        assert!(store.find().is_some());
    }
}

#[test]
fn the_kernels_that_were_used_last_are_kept() {
    let cache = test_cache();
    let built = external::find_or_build(&cache.ctx, &cache.build_folder("out")).unwrap();
    let stores: Vec<KernelStore> = (0..10)
        .map(|n| cache.store(&format!("6.12.{n}-1"), ""))
        .collect();
    for store in &stores {
        store.publish(&built).unwrap();
        assert!(
            stores[0].find().is_some(),
            "the first is used again and again"
        );
    }
    let left = stores.iter().filter(|store| store.find().is_some()).count();
    assert_eq!(left, 8);
    assert!(stores[1].find().is_none());
}

#[test]
fn an_external_kernel_is_a_build_folder_or_an_image() {
    let cache = test_cache();
    let dir = cache.build_folder("out");
    for path in [dir.clone(), dir.join("arch/x86/boot/bzImage")] {
        let kernel = external::find_or_build(&cache.ctx, &path).unwrap();
        assert_eq!(kernel.vmlinux, dir.join("vmlinux"));
        assert_eq!(kernel.compiler, "gcc (Debian 12.2.0-14) 12.2.0");
    }
}

#[test]
fn a_path_without_a_kernel_is_an_error() {
    let cache = test_cache();
    let dir = cache.root.path().join("other");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("image"), "").unwrap();
    for (path, expected) in [
        (dir.clone(), "neither a kernel tree nor"),
        (dir.join("image"), "no build folder around it"),
        (dir.join("missing"), "no such file"),
    ] {
        let error = external::find_or_build(&cache.ctx, &path).unwrap_err();
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    }
}

#[test]
fn a_kernel_is_linked_into_the_clone() {
    let cache = test_cache();
    let mut ctx = cache.ctx.clone();
    for name in ["one", "two"] {
        let dir = cache.build_folder(name);
        ctx.kernel = Some(dir.clone());
        build(&ctx).unwrap();
        let linked = ctx.build_dir();
        assert_eq!(
            fs::read_link(linked.join("vmlinux")).unwrap(),
            dir.join("vmlinux")
        );
        // that folder is an external kernel as well
        ctx.kernel = Some(linked);
        assert_eq!(build(&ctx).unwrap().release, "6.12.117-bpf-streams");
    }
}

/// A tree whose make builds the image with the recipe `rule`.
fn tree(cache: &TestCache, rule: &str) -> PathBuf {
    let dir = cache.root.path().join("tree");
    fs::create_dir_all(dir.join("kernel/bpf")).unwrap();
    for name in ["Kconfig", "MAINTAINERS"] {
        fs::write(dir.join(name), "").unwrap();
    }
    let config = format!("printf '{}' > $(O)/.config", CONFIG.replace('\n', "\\n"));
    let makefile = format!(
        "allnoconfig:\n\t@{config}; grep -v DROPPED $(KCONFIG_ALLCONFIG) >> $(O)/.config\n\
         bzImage:\n{rule}"
    );
    fs::write(dir.join("Makefile"), makefile).unwrap();
    let fragments = cache.ctx.repo.join("kernel-config");
    fs::create_dir_all(&fragments).unwrap();
    for name in ["base", "x86_64"] {
        let path = fragments.join(format!("{name}.config"));
        fs::write(path, format!("CONFIG_{}=y\n", name.to_uppercase())).unwrap();
    }
    dir
}

fn build_tree(cache: &TestCache, dir: &Path) -> Result<Kernel> {
    let mut ctx = cache.ctx.clone();
    ctx.kernel = Some(dir.to_owned());
    build(&ctx)
}

#[test]
fn an_external_tree_is_built_in_its_own_folder() {
    let cache = test_cache();
    let rule = "\t@mkdir -p $(O)/arch/x86/boot && touch $(O)/arch/x86/boot/bzImage $(O)/vmlinux\n";
    let dir = tree(&cache, rule);
    let kernel = build_tree(&cache, &dir).unwrap();
    assert_eq!(kernel.source.as_deref(), Some(dir.as_path()));
    assert_eq!(kernel.build_dir, dir.join(".build-x86_64-plain"));
    assert!(cache.ctx.build_dir().join("image").exists());
}

#[test]
fn the_error_of_a_build_has_compiler_errors_and_the_log() {
    let cache = test_cache();
    let dir = tree(
        &cache,
        "\t@echo '  CC      kernel/bpf/a.o'\n\t@echo '$(CC); $(HOSTCC)'\n\t@echo '../kernel/bpf/a.c:3:1: error: no' >&2; exit 1\n",
    );
    let error = format!("{:#}", build_tree(&cache, &dir).unwrap_err());
    for expected in [
        "the kernel does not compile",
        "| ../kernel/bpf/a.c:3:1: error: no",
        "bpf-streams.log",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    let log = fs::read_to_string(dir.join(".build-x86_64-plain/bpf-streams.log")).unwrap();
    assert!(log.contains("  CC      kernel/bpf/a.o\n"), "{log}");
    let gcc = format!("ccache {}gcc", Arch::X86_64.cross_prefix());
    assert!(log.contains(&format!("\n{gcc}; ccache gcc\n")), "{log}");
    assert!(!cache.ctx.build_dir().join("image").exists());
}

#[test]
fn a_request_that_is_not_granted_stops_the_build() {
    let cache = test_cache();
    let dir = tree(&cache, "\t@echo not reached; exit 1\n");
    let fragment = cache.ctx.repo.join("kernel-config/x86_64.config");
    fs::write(fragment, "CONFIG_DROPPED=y\n").unwrap();
    let error = format!("{:#}", build_tree(&cache, &dir).unwrap_err());
    assert!(
        error.contains("CONFIG_DROPPED: requested y, got n"),
        "{error}"
    );
}

#[test]
fn a_build_without_an_image_fails() {
    let cache = test_cache();
    let dir = tree(&cache, "\t@true\n");
    let error = format!("{:#}", build_tree(&cache, &dir).unwrap_err());
    assert!(error.contains("arch/x86/boot/bzImage"), "{error}");
}
