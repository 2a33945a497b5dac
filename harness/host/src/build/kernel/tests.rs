// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! On kernels that are empty files.

use super::*;
use crate::build::kconfig::Requests;
use crate::env::context::{AccelChoice, Arch, PLAIN};
use crate::env::progress::Progress;
use crate::queue::base::Base;
use crate::queue::source::{Package, Source};

const CONFIG: &str = "#\n# Automatically generated file; DO NOT EDIT.\n\
    # Linux/x86 6.12.117 Kernel Configuration\n#\n\
    CONFIG_CC_VERSION_TEXT=\"gcc (Debian 12.2.0-14) 12.2.0\"\nCONFIG_LOCALVERSION=\"-bpf-streams\"\n";

struct Place {
    root: tempfile::TempDir,
    ctx: Context,
}

fn place() -> Place {
    let root = tempfile::tempdir().unwrap();
    let ctx = Context {
        repo: root.path().join("repo"),
        cache: root.path().join("cache"),
        base: "v6.12".to_owned(),
        arch: Arch::X86_64,
        config: PLAIN.to_owned(),
        accel: AccelChoice::Tcg,
        kernel: None,
        ci: false,
        jobs: 1,
        progress: Progress::Silent,
    };
    Place { root, ctx }
}

impl Place {
    /// A folder as the kernel's make leaves it.
    fn build_folder(&self, name: &str) -> PathBuf {
        let dir = self.root.path().join(name);
        fs::create_dir_all(dir.join("arch/x86/boot")).unwrap();
        fs::write(dir.join("arch/x86/boot/bzImage"), "image").unwrap();
        fs::write(dir.join("vmlinux"), "with types").unwrap();
        fs::write(dir.join(".config"), CONFIG).unwrap();
        dir
    }

    fn store(&self, version: &str, config: &str) -> Store {
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
        Store::new(&self.ctx, &source, &series, &requests).unwrap()
    }
}

#[test]
fn a_kernel_is_found_under_what_went_into_it_and_nothing_else() {
    let place = place();
    let built = external::take(&place.ctx, &place.build_folder("out")).unwrap();
    let store = place.store("6.12.117-1", "CONFIG_BPF=y\n");
    assert!(store.find().is_none());
    let kernel = store.publish(&built).unwrap();
    assert_eq!(kernel.release, "6.12.117-bpf-streams");
    assert!(place.store("6.12.117-1", "CONFIG_BPF=y\n").find().is_some());
    assert_eq!(
        kernel.package.as_deref(),
        Some("linux-source-6.12 6.12.117-1")
    );
    assert!(place.store("6.12.118-1", "CONFIG_BPF=y\n").find().is_none());
    assert!(place.store("6.12.117-1", "CONFIG_BPF=n\n").find().is_none());
}

#[test]
fn a_half_written_entry_is_never_taken_and_is_replaced() {
    let place = place();
    let built = external::take(&place.ctx, &place.build_folder("out")).unwrap();
    let store = place.store("6.12.117-1", "");
    let kernel = store.publish(&built).unwrap();
    for file in ["image", "vmlinux", "config", "kernel.json"] {
        fs::write(kernel.build_dir.join(file), "").unwrap();
        assert!(store.find().is_none(), "{file} is empty");
        fs::remove_file(kernel.build_dir.join(file)).unwrap();
        assert!(store.find().is_none(), "{file} is gone");
        store.publish(&built).unwrap();
        assert!(store.find().is_some());
    }
}

#[test]
fn only_the_kernels_used_last_are_kept() {
    let place = place();
    let built = external::take(&place.ctx, &place.build_folder("out")).unwrap();
    let stores: Vec<Store> = (0..10)
        .map(|n| place.store(&format!("6.12.{n}-1"), ""))
        .collect();
    for store in &stores {
        store.publish(&built).unwrap();
        assert!(stores[0].find().is_some(), "the first is used all the time");
    }
    let left = stores.iter().filter(|store| store.find().is_some()).count();
    assert_eq!(left, 8);
    assert!(stores[1].find().is_none());
}

#[test]
fn a_given_kernel_may_be_a_folder_or_an_image() {
    let place = place();
    let dir = place.build_folder("out");
    for path in [dir.clone(), dir.join("arch/x86/boot/bzImage")] {
        let kernel = external::take(&place.ctx, &path).unwrap();
        assert_eq!(kernel.vmlinux, dir.join("vmlinux"));
        assert_eq!(kernel.compiler, "gcc (Debian 12.2.0-14) 12.2.0");
    }
}

#[test]
fn what_is_no_kernel_is_refused_with_the_reason() {
    let place = place();
    let dir = place.root.path().join("other");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("image"), "").unwrap();
    for (path, told) in [
        (dir.clone(), "neither a kernel tree nor"),
        (dir.join("image"), "no build folder around it"),
        (dir.join("missing"), "no such file"),
    ] {
        let error = external::take(&place.ctx, &path).unwrap_err();
        assert!(format!("{error:#}").contains(told), "{error:#}");
    }
}

#[test]
fn a_build_is_linked_to_where_users_look() {
    let place = place();
    let mut ctx = place.ctx.clone();
    for name in ["one", "two"] {
        let dir = place.build_folder(name);
        ctx.kernel = Some(dir.clone());
        build(&ctx).unwrap();
        let linked = ctx.build_dir();
        assert_eq!(
            fs::read_link(linked.join("vmlinux")).unwrap(),
            dir.join("vmlinux")
        );
        // what is linked there is a kernel to give, too
        ctx.kernel = Some(linked);
        assert_eq!(build(&ctx).unwrap().release, "6.12.117-bpf-streams");
    }
}

/// A tree whose make does what the lines of `rule` say for the image.
fn tree(place: &Place, rule: &str) -> PathBuf {
    let dir = place.root.path().join("tree");
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
    let fragments = place.ctx.repo.join("kernel-config");
    fs::create_dir_all(&fragments).unwrap();
    for name in ["base", "x86_64"] {
        let path = fragments.join(format!("{name}.config"));
        fs::write(path, format!("CONFIG_{}=y\n", name.to_uppercase())).unwrap();
    }
    dir
}

fn build_tree(place: &Place, dir: &Path) -> Result<Kernel> {
    let mut ctx = place.ctx.clone();
    ctx.kernel = Some(dir.to_owned());
    build(&ctx)
}

#[test]
fn a_given_tree_is_built_in_a_folder_of_its_own() {
    let place = place();
    let rule = "\t@mkdir -p $(O)/arch/x86/boot && touch $(O)/arch/x86/boot/bzImage $(O)/vmlinux\n";
    let dir = tree(&place, rule);
    let kernel = build_tree(&place, &dir).unwrap();
    assert_eq!(kernel.source.as_deref(), Some(dir.as_path()));
    assert_eq!(kernel.build_dir, dir.join(".build-x86_64-plain"));
    assert!(place.ctx.build_dir().join("image").exists());
}

#[test]
fn a_kernel_that_does_not_compile_shows_the_compilers_words_and_the_log() {
    let place = place();
    let dir = tree(
        &place,
        "\t@echo '  CC      kernel/bpf/a.o'\n\t@echo '../kernel/bpf/a.c:3:1: error: no' >&2; exit 1\n",
    );
    let error = format!("{:#}", build_tree(&place, &dir).unwrap_err());
    for told in [
        "the kernel does not compile",
        "| ../kernel/bpf/a.c:3:1: error: no",
        "bpf-streams.log",
    ] {
        assert!(error.contains(told), "{error}");
    }
    let log = fs::read_to_string(dir.join(".build-x86_64-plain/bpf-streams.log")).unwrap();
    assert!(log.contains("  CC      kernel/bpf/a.o\n"), "{log}");
    assert!(!place.ctx.build_dir().join("image").exists());
}

#[test]
fn a_request_that_is_not_granted_stops_the_build() {
    let place = place();
    let dir = tree(&place, "\t@echo not reached; exit 1\n");
    let fragment = place.ctx.repo.join("kernel-config/x86_64.config");
    fs::write(fragment, "CONFIG_DROPPED=y\n").unwrap();
    let error = format!("{:#}", build_tree(&place, &dir).unwrap_err());
    assert!(
        error.contains("CONFIG_DROPPED: asked for y, got n"),
        "{error}"
    );
}

#[test]
fn a_build_that_left_no_image_is_no_success() {
    let place = place();
    let dir = tree(&place, "\t@true\n");
    let error = format!("{:#}", build_tree(&place, &dir).unwrap_err());
    assert!(error.contains("arch/x86/boot/bzImage"), "{error}");
}
