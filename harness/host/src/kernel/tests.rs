// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! On kernels that are empty files.

use super::*;
use crate::base::Base;
use crate::context::{AccelChoice, Arch, PLAIN};
use crate::kconfig::Requests;
use crate::progress::Progress;
use crate::source::Source;

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
                tested_with: "6.12.117".to_owned(),
            },
            version: version.to_owned(),
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
    let built = given::take(&place.ctx, &place.build_folder("out")).unwrap();
    let store = place.store("6.12.117-1", "CONFIG_BPF=y\n");
    assert!(store.find().is_none());
    let kernel = store.publish(&built).unwrap();
    assert_eq!(kernel.release, "6.12.117-bpf-streams");
    assert!(place.store("6.12.117-1", "CONFIG_BPF=y\n").find().is_some());
    assert!(place.store("6.12.118-1", "CONFIG_BPF=y\n").find().is_none());
    assert!(place.store("6.12.117-1", "CONFIG_BPF=n\n").find().is_none());
}

#[test]
fn a_half_written_entry_is_never_taken_and_is_replaced() {
    let place = place();
    let built = given::take(&place.ctx, &place.build_folder("out")).unwrap();
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
    let built = given::take(&place.ctx, &place.build_folder("out")).unwrap();
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
        let kernel = given::take(&place.ctx, &path).unwrap();
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
        let error = given::take(&place.ctx, &path).unwrap_err();
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
