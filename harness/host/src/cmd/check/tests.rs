// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Faults in small fake trees, whose make runs gcc and sparse of this machine as the kernel's make
//! does.

use super::*;
use crate::queue::gittree::tests::{patch, series as written};

/// The part of the kernel's make that the checks use.
const MAKEFILE: &str = "\
.PHONY: allnoconfig vmlinux kernel/bpf/ arch/arm64/net/ htmldocs FORCE
allnoconfig:
\t@cp $(KCONFIG_ALLCONFIG) $(O)/.config
kernel/bpf/ arch/arm64/net/:
\t@sh build $@ $(O)
vmlinux:
\t@sh build kernel/bpf/ $(O)
kernel/%.o arch/%.o: FORCE
\t@sh build $@ $(O) sparse
htmldocs:
\t@for dir in $(SPHINXDIRS); do sh render $$dir $(O)/Documentation/output/$$dir; done
";

/// Writes a page of a folder, and prints warnings in the format of sphinx for its long lines.
const RENDER: &str = "mkdir -p $2\n\
    for page in $PWD/Documentation/$1/*.rst; do\n\
    grep -n wide $page | sed \"s|^\\([0-9]*\\):.*|$page:\\1: WARNING: too wide|\" >&2\n\
    done\necho > $2/index.html\n";

/// Compiles the sources of a folder that are newer than their objects, or runs sparse on the source of
/// an object. Every option is a macro.
const BUILD: &str = "set -e\ncd $2\n\
    options=$(sed -e 's/=y/=1/' -e 's/=n/=0/' -e 's/^/-D/' .config)\n\
    if [ \"$3\" = sparse ]; then\n\
    exec sparse -Dhead= -Dtail= $options ../${1%.o}.c\n\
    fi\nmkdir -p $1\n\
    for source in ../$1*.c; do\n\
    object=${source#../}; object=${object%.c}.o\n\
    if [ ! -e $object ] || [ $source -nt $object ]; then\n\
    gcc -Wall -Dhead= -Dtail= $options -c $source -o $object\n\
    fi\ndone\n";

/// The configuration of the fake tree.
const FRAGMENT: &str = "CONFIG_BPF_SYSCALL=y\nCONFIG_BPF_JIT=y\nCONFIG_SMP=y\n";

const GOOD: &str = "extern int one;";

/// A tree of clean sources, a clone, and a cache.
struct Fake {
    root: tempfile::TempDir,
    ctx: Context,
}

fn fake() -> Fake {
    let root = tempfile::tempdir().unwrap();
    let ctx = Context::of_test(root.path());
    let fake = Fake { root, ctx };
    fake.write("repo/kernel-config/base.config", FRAGMENT);
    for arch in ["x86_64", "arm64"] {
        let text = format!("CONFIG_{}=y\n", arch.to_uppercase());
        fake.write(&format!("repo/kernel-config/{arch}.config"), &text);
    }
    fake.write("tree/Makefile", MAKEFILE);
    fake.write("tree/build", BUILD);
    fake.write("tree/render", RENDER);
    fake.write("tree/.gitignore", ".*\n");
    for file in ["kernel/bpf/a.c", "kernel/bpf/b.c", "arch/arm64/net/c.c"] {
        fake.write(&format!("tree/{file}"), &format!("head\n{GOOD}\ntail\n"));
    }
    GitTree::import(&fake.path("tree"), "linux 6.12.117").unwrap();
    fake
}

impl Fake {
    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a file of the base.
    fn add_to_base(&self, name: &str, text: &str) {
        self.write(&format!("tree/{name}"), text);
        fs::remove_dir_all(self.path("tree/.git")).unwrap();
        GitTree::import(&self.path("tree"), "linux 6.12.117").unwrap();
    }

    /// The tree with `patches` as commits.
    fn checkout(&self, patches: &[String]) -> (Checkout<'_>, Series) {
        let series = written(&self.path("patches"), patches);
        fs::write(
            self.path("patches/0000-cover-letter.patch"),
            crate::queue::export::tests::COVER,
        )
        .unwrap();
        let tree = GitTree::at(&self.path("tree")).unwrap();
        let last = tree.commits(&series).unwrap().pop().unwrap();
        tree.run(["update-ref", SERIES, &last]).unwrap();
        let checkout = Checkout {
            ctx: &self.ctx,
            tree,
            passed: self.ctx.cache_dir("check/passed").unwrap(),
            _lock: None,
        };
        (checkout, series)
    }

    /// The findings of the builds of every patch and of the configuration variants.
    fn built(&self, patches: &[String]) -> Findings {
        let (checkout, series) = self.checkout(patches);
        let mut findings = Findings::default();
        compile::check(&checkout, &series, Depth::Full, &mut findings).unwrap();
        config_variants::check(&checkout, &mut findings).unwrap();
        findings
    }
}

#[test]
fn the_quick_check_builds_for_one_architecture_and_is_part_of_the_full_check() {
    let fake = fake();
    let patches = [patch("kernel/bpf/a.c", GOOD, "extern int two;")];
    let (checkout, series) = fake.checkout(&patches);
    let look = |depth| {
        let mut findings = Findings::default();
        compile::check(&checkout, &series, depth, &mut findings).unwrap();
        assert_eq!(findings.wrong, Vec::<String>::new());
        (findings.done, findings.remembered)
    };
    let arches = Arch::buildable_here().len();
    // the end of the series alone
    assert_eq!(look(Depth::Quick), (1, 0));
    assert_eq!(look(Depth::Full), (arches, 0));
    assert_eq!(look(Depth::Quick), (0, 2));
    assert_eq!(look(Depth::Full), (0, arches));
}

impl Fake {
    /// The findings of the quick check.
    fn glanced(&self, patches: &[String]) -> Findings {
        let (checkout, series) = self.checkout(patches);
        let mut findings = Findings::default();
        compile::check(&checkout, &series, Depth::Quick, &mut findings).unwrap();
        findings
    }
}

/// Four patches on two files; `third` is the change of the third.
fn four(third: &str) -> [String; 4] {
    [
        patch("kernel/bpf/a.c", GOOD, "extern int two;"),
        patch("kernel/bpf/b.c", GOOD, "extern int two;"),
        patch("kernel/bpf/b.c", "extern int two;", third),
        patch("kernel/bpf/b.c", third, "extern int three;"),
    ]
}

#[test]
fn the_quick_check_without_a_passed_series_says_so_and_compiles_the_end() {
    let fake = fake();
    // the third patch does not build alone, but the end of the series builds
    let findings = fake.glanced(&four("extern int broken"));
    assert_eq!((findings.done, &findings.wrong[..]), (1, &[][..]));
    assert_eq!(findings.notes.len(), 1, "{:?}", findings.notes);
    let note = &findings.notes[0];
    assert!(
        note.starts_with("4 patches not compiled one by one"),
        "{note}"
    );
    assert!(note.contains("nothing to compare with"), "{note}");
    // the full check finds it
    let whole = fake.built(&four("extern int broken"));
    assert!(
        whole.wrong[0].starts_with("0003-p.patch on "),
        "{:?}",
        whole.wrong
    );
}

#[test]
fn the_quick_check_finds_faults_of_the_end() {
    for (planted, expected) in [
        ("static int two;", "new warning: kernel/bpf/b.c: "),
        ("extern int two", "does not compile"),
    ] {
        let fake = fake();
        let patches = [
            patch("kernel/bpf/a.c", GOOD, "extern int two;"),
            patch("kernel/bpf/b.c", GOOD, planted),
        ];
        for _ in 0..2 {
            let findings = fake.glanced(&patches);
            let wrong = only(&findings);
            assert!(wrong.starts_with("the end of the series on "), "{wrong}");
            assert!(wrong.contains(expected), "{wrong}");
        }
    }
}

#[test]
fn the_quick_check_ignores_warnings_of_the_base() {
    let fake = fake();
    fake.add_to_base("kernel/bpf/a.c", "head\nstatic int old;\ntail\n");
    let first = [patch("kernel/bpf/b.c", GOOD, "extern int two;")];
    assert_eq!(fake.glanced(&first).wrong, Vec::<String>::new());
    // the second run reuses the build of the base
    let second = [patch("kernel/bpf/b.c", GOOD, "static int two;")];
    assert!(only(&fake.glanced(&second)).contains("new warning: kernel/bpf/b.c"));
}

#[test]
fn the_quick_check_compiles_the_changed_patch() {
    let fake = fake();
    fake.glanced(&four("extern int more;"));
    let same = fake.glanced(&four("extern int more;"));
    assert_eq!((same.done, same.remembered, same.wrong.len()), (0, 1, 0));
    assert!(
        same.notes[0].starts_with("4 patches not compiled"),
        "{:?}",
        same.notes
    );

    let findings = fake.glanced(&four("extern int broken"));
    let wrong = only(&findings);
    assert!(wrong.starts_with("0003-p.patch on "), "{wrong}");
    assert!(wrong.contains("does not compile"), "{wrong}");
    // the fourth patch reverts the third, so it has changed, too
    assert!(
        findings.notes[0].starts_with("2 patches not compiled"),
        "{:?}",
        findings.notes
    );

    // the corrected patch passes and is cached
    let mended = fake.glanced(&four("extern int better;"));
    assert_eq!((mended.done, mended.wrong.len()), (2, 0));
    let again = fake.glanced(&four("extern int better;"));
    assert_eq!((again.done, again.remembered), (0, 3));
}

#[test]
fn after_the_full_check_the_quick_check_skips_nothing() {
    let fake = fake();
    fake.built(&four("extern int more;"));
    let findings = fake.glanced(&four("extern int more;"));
    assert_eq!((findings.done, findings.remembered), (0, 5));
    assert_eq!(findings.notes, Vec::<String>::new());
}

/// The only finding.
fn only(findings: &Findings) -> &str {
    assert_eq!(findings.wrong.len(), 1, "{:?}", findings.wrong);
    &findings.wrong[0]
}

#[test]
fn a_clean_series_passes_and_is_cached() {
    let fake = fake();
    let patches = [
        patch("kernel/bpf/a.c", GOOD, "extern int two;"),
        patch("arch/arm64/net/c.c", GOOD, "extern int two;"),
    ];
    let findings = fake.built(&patches);
    assert_eq!(findings.wrong, Vec::<String>::new());
    let arches = Arch::buildable_here();
    let features = arches.iter().map(|arch| match arch {
        Arch::X86_64 => 3,
        Arch::Arm64 => 2,
    });
    let checks = patches.len() * arches.len() + features.sum::<usize>();
    assert_eq!((findings.done, findings.remembered), (checks, 0));
    let again = fake.built(&patches);
    assert_eq!((again.done, again.remembered), (0, checks));
}

#[test]
fn a_changed_document_builds_nothing() {
    let fake = fake();
    fake.add_to_base("Documentation/bpf.rst", "head\nnothing\ntail\n");
    let series = |text| {
        [
            patch("Documentation/bpf.rst", "nothing", text),
            patch("kernel/bpf/a.c", GOOD, "extern int two;"),
        ]
    };
    let first = fake.built(&series("something"));
    assert_eq!((first.wrong.len(), first.remembered), (0, 0));
    let mended = fake.built(&series("something else"));
    assert_eq!((mended.done, mended.remembered), (0, first.done));
}

#[test]
fn a_warning_of_the_base_is_ignored() {
    let fake = fake();
    fake.add_to_base("kernel/bpf/a.c", "head\nstatic int old;\ntail\n");
    let findings = fake.built(&[patch("kernel/bpf/b.c", GOOD, "extern int two;")]);
    assert_eq!(findings.wrong, Vec::<String>::new());
}

#[test]
fn a_new_warning_is_found_and_found_again() {
    let fake = fake();
    let patches = [patch("kernel/bpf/a.c", GOOD, "static int two;")];
    for _ in 0..2 {
        let findings = fake.built(&patches);
        // on every architecture
        assert_eq!(findings.wrong.len(), Arch::buildable_here().len());
        for wrong in &findings.wrong {
            assert!(wrong.starts_with("0001-p.patch on "), "{wrong}");
            assert!(
                wrong.contains("new warning: kernel/bpf/a.c: ‘two’ defined but not used")
                    || wrong.contains("new warning: kernel/bpf/a.c: 'two' defined but not used"),
                "{wrong}"
            );
        }
    }
}

#[test]
fn a_patch_that_does_not_build_alone_is_found_though_the_series_builds() {
    let fake = fake();
    let broken = "extern int two";
    let findings = fake.built(&[
        patch("kernel/bpf/a.c", GOOD, broken),
        patch("kernel/bpf/a.c", broken, "extern int two;"),
    ]);
    assert_eq!(findings.wrong.len(), Arch::buildable_here().len());
    for wrong in &findings.wrong {
        assert!(wrong.starts_with("0001-p.patch on "), "{wrong}");
        assert!(wrong.contains("does not compile"), "{wrong}");
    }
}

#[test]
fn a_fault_of_one_architecture_is_found_there() {
    let fake = fake();
    let findings = fake.built(&[patch("arch/arm64/net/c.c", GOOD, "static int two;")]);
    let wrong = only(&findings);
    assert!(wrong.starts_with("0001-p.patch on arm64: "), "{wrong}");
}

#[test]
fn a_warning_of_sparse_is_found_once() {
    let fake = fake();
    let null = "extern char *two(void); char *two(void) { return 0; }";
    let findings = fake.built(&[patch("kernel/bpf/a.c", GOOD, null)]);
    let wrong = only(&findings);
    assert!(
        wrong.contains("sparse: kernel/bpf/a.c: Using plain integer as NULL pointer"),
        "{wrong}"
    );
}

#[test]
fn a_series_that_needs_an_optional_feature_is_found() {
    for (option, name) in [
        ("CONFIG_BPF_SYSCALL", "no-bpf-syscall-"),
        ("CONFIG_BPF_JIT", "no-bpf-jit-"),
        ("CONFIG_SMP", "no-smp-"),
    ] {
        let fake = fake();
        let needs = format!("_Static_assert({option}, \"\");");
        let findings = fake.built(&[patch("kernel/bpf/a.c", GOOD, &needs)]);
        assert!(!findings.wrong.is_empty(), "{option}");
        for wrong in &findings.wrong {
            assert!(wrong.starts_with(name), "{wrong}");
        }
    }
}

#[test]
fn an_interrupted_build_starts_again() {
    let fake = fake();
    let patches = [patch("kernel/bpf/a.c", GOOD, "static int two;")];
    fake.built(&patches);
    // the state after an interruption: the object exists, its warning was not recorded
    let out = fake.path("tree/.build-check-arm64");
    assert!(out.join("kernel/bpf/a.o").exists());
    assert!(out.join("bpf-streams.unfinished").exists());
    assert!(!fake.built(&patches).wrong.is_empty());
}

#[test]
fn quilt_dpkg_source_and_git_accept_an_export() {
    let fake = fake();
    let (checkout, series) = fake.checkout(&[
        patch("kernel/bpf/a.c", GOOD, "extern int two;"),
        patch("kernel/bpf/a.c", "extern int two;", "extern int three;"),
    ]);
    let mut findings = Findings::default();
    exported::check(&checkout, &series, &mut findings).unwrap();
    assert_eq!(findings.wrong, Vec::<String>::new());
    assert_eq!(findings.done, 1);
}

#[test]
fn a_rejected_export_is_reported_with_the_tool() {
    let fake = fake();
    let good = patch("kernel/bpf/a.c", GOOD, "extern int two;");
    let (checkout, mut series) = fake.checkout(std::slice::from_ref(&good));
    for (planted, expected) in [
        // two lines of context match, the third does not
        (good.replace(" tail", " other tail"), "does not take it"),
        (
            good.replace("+extern int two;", "+extern int six;"),
            "not the tree of the series",
        ),
    ] {
        series.patches[0].text = planted.into_bytes();
        let mut findings = Findings::default();
        exported::check(&checkout, &series, &mut findings).unwrap();
        assert_eq!(findings.wrong.len(), 3, "{:?}", findings.wrong);
        for (wrong, tool) in findings
            .wrong
            .iter()
            .zip(["quilt", "dpkg-source", "git am"])
        {
            assert!(wrong.starts_with(&format!("export: {tool}")), "{wrong}");
            // dpkg-source reports a patch that does not apply as already applied
            assert!(wrong.contains(expected) || tool == "dpkg-source", "{wrong}");
        }
    }
}

#[test]
fn an_undocumented_name_is_found() {
    let fake = fake();
    let (checkout, _) = fake.checkout(&[patch(
        "kernel/bpf/a.c",
        GOOD,
        "BTF_ID_FLAGS(func, bpf_new, KF_SLEEPABLE)",
    )]);
    let mut findings = Findings::default();
    documented::check(&checkout, &mut findings).unwrap();
    assert!(only(&findings).contains("bpf_new is new"));

    let fake = self::fake();
    fake.add_to_base("Documentation/bpf.rst", "head\nnothing\ntail\n");
    let (checkout, _) = fake.checkout(&[
        patch("kernel/bpf/a.c", GOOD, "BTF_ID_FLAGS(func, bpf_new)"),
        patch("Documentation/bpf.rst", "nothing", "bpf_new() does this"),
    ]);
    let mut findings = Findings::default();
    documented::check(&checkout, &mut findings).unwrap();
    assert_eq!(findings.wrong, Vec::<String>::new());
}

/// The findings of the documentation build, with a patch that replaces `nothing` on the page by `text`.
fn rendered(fake: &Fake, folder: &str, text: &str) -> Findings {
    let (checkout, _) = fake.checkout(&[patch(&format!("{folder}/a.rst"), "nothing", text)]);
    let mut findings = Findings::default();
    docs::check(&checkout, &mut findings).unwrap();
    findings
}

#[test]
fn documentation_is_rendered_without_a_new_warning() {
    let fake = fake();
    fake.add_to_base("Documentation/bpf/a.rst", "head\nnothing\ntail\n");
    fake.add_to_base("Documentation/bpf/b.rst", "wide\n");
    let findings = rendered(&fake, "Documentation/bpf", "something");
    assert_eq!((findings.done, findings.wrong), (1, Vec::new()));
    for _ in 0..2 {
        let findings = rendered(&fake, "Documentation/bpf", "wide");
        let wrong = only(&findings);
        assert!(
            wrong.contains("new warning: Documentation/bpf/a.rst: too wide"),
            "{wrong}"
        );
    }

    // the kernel's make without sphinx: prints a message and succeeds
    let fake = self::fake();
    fake.add_to_base("Documentation/bpf/a.rst", "head\nnothing\ntail\n");
    fake.add_to_base("render", "echo SKIP\n");
    let findings = rendered(&fake, "Documentation/bpf", "something");
    assert!(only(&findings).contains("has not written"));
}

#[test]
fn manual_pages_are_written_without_a_warning() {
    let folder = "tools/bpf/bpftool/Documentation";
    let fake = fake();
    fake.add_to_base(&format!("{folder}/a.rst"), "head\nnothing\ntail\n");
    let make = "man:\n\t! grep -n wide a.rst >&2\n\t@test $(RST2MAN_OPTS) = --halt=warning\n";
    fake.add_to_base(&format!("{folder}/Makefile"), make);
    let findings = rendered(&fake, folder, "something");
    assert_eq!((findings.done, findings.wrong), (1, Vec::new()));
    let findings = rendered(&fake, folder, "wide");
    assert!(only(&findings).contains("2:wide"));
}

#[test]
fn a_kernel_is_booted_after_the_patches_that_change_it() {
    let fake = fake();
    fake.add_to_base("Documentation/bpf.rst", "head\nnothing\ntail\n");
    let (checkout, series) = fake.checkout(&[
        patch("Documentation/bpf.rst", "nothing", "something"),
        patch("arch/arm64/net/c.c", GOOD, "extern int two;"),
    ]);
    let mut findings = Findings::default();
    boot::check(&checkout, &series, &mut findings).unwrap();
    assert_eq!((findings.done, findings.wrong.len()), (0, 0));

    // the fake make has no rule for an image
    let (checkout, series) = fake.checkout(&[patch("kernel/bpf/a.c", GOOD, "extern int two;")]);
    boot::check(&checkout, &series, &mut findings).unwrap();
    let wrong = only(&findings);
    assert!(wrong.starts_with("0001-p.patch: "), "{wrong}");
    assert!(wrong.contains("does not compile"), "{wrong}");
}

#[test]
fn a_flag_of_kfuncs_with_a_bit_of_mainline_is_found() {
    let fake = fake();
    let header = "include/linux/btf.h";
    let flag = |name, bit| format!("#define KF_{name} (1 << {bit})");
    fake.add_to_base(header, &format!("head\n{}\ntail\n", flag("OLD", 1)));
    let wrong = |bit| {
        let patches = [patch(header, &flag("OLD", 1), &flag("NEW", bit))];
        let (checkout, _) = fake.checkout(&patches);
        let mut findings = Findings::default();
        kfuncs::check_flags(&checkout, &mut findings).unwrap();
        findings.wrong
    };
    assert_eq!(wrong(24), [""; 0]);
    let found = wrong(12);
    assert!(
        matches!(&found[..], [fault] if fault.contains("KF_NEW is bit 12")),
        "{found:?}"
    );
}
