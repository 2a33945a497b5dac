// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! With the real compiler, on small sources against a small header.

use super::*;
use crate::env::context::{AccelChoice, Arch};
use crate::env::progress::Progress;
use crate::test_support::names;

const GOOD: &str = "#include <vmlinux.h>\n#include <bpf/bpf_helpers.h>\n\
    SEC(\"syscall\") int good(void *ctx) { return sizeof(struct of_the_kernel) == VALUE; }\n\
    char LICENSE[] SEC(\"license\") = \"GPL\";\n";

/// A clone, a cache and what there is to compile against, all in one folder.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new(sources: &[(&str, &str)]) -> Self {
        let place = Self {
            root: tempfile::tempdir().unwrap(),
        };
        for dir in ["repo/selftests", "include/bpf", "cache"] {
            fs::create_dir_all(place.path(dir)).unwrap();
        }
        place.write("vmlinux", "a kernel");
        place.write(
            "bpftool",
            "#!/bin/sh\necho 'struct of_the_kernel { int x; };'\n",
        );
        fs::set_permissions(
            place.path("bpftool"),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        place.write(
            "include/bpf/bpf_helpers.h",
            "#define SEC(name) __attribute__((section(name), used))\n#define VALUE 4\n",
        );
        for (name, text) in sources {
            place.write(&format!("repo/selftests/{name}"), text);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn compile(&self) -> Result<Vec<String>> {
        let ctx = Context {
            repo: self.path("repo"),
            cache: self.path("cache"),
            base: "v6.12".to_owned(),
            arch: Arch::X86_64,
            config: "plain".to_owned(),
            accel: AccelChoice::Tcg,
            kernel: None,
            ci: false,
            jobs: 2,
            progress: Progress::Silent,
        };
        let into = tempfile::tempdir_in(self.root.path()).unwrap().keep();
        let bpftool = Bpftool {
            path: self.path("bpftool"),
            include: self.path("include"),
        };
        let objects = compile(
            &ctx,
            &ctx.selftests(),
            &self.path("vmlinux"),
            &bpftool,
            &into,
        )?;
        assert!(
            objects.compiler.contains("clang version 19"),
            "{}",
            objects.compiler
        );
        Ok(names(&objects.dir))
    }

    fn cached(&self) -> Vec<String> {
        names(&self.path("cache/selftests"))
    }
}

#[test]
fn every_source_gives_an_object_and_is_compiled_once() {
    let place = Place::new(&[
        ("a.bpf.c", GOOD),
        ("b.bpf.c", GOOD),
        ("notes.txt", ""),
        ("shared.h", ""),
    ]);
    assert_eq!(place.compile().unwrap(), ["a.bpf.o", "b.bpf.o"]);
    let first = place.cached();
    assert_eq!(first.len(), 2);
    place.compile().unwrap();
    assert_eq!(place.cached(), first);
}

#[test]
fn whatever_goes_into_an_object_makes_it_a_new_one() {
    let place = Place::new(&[("a.bpf.c", GOOD), ("shared.h", "")]);
    place.compile().unwrap();
    let changes = [
        ("repo/selftests/a.bpf.c", format!("{GOOD}int more;\n")),
        ("repo/selftests/shared.h", "// other\n".to_owned()),
        (
            "include/bpf/bpf_helpers.h",
            "#define SEC(n) __attribute__((section(n), used))\n#define VALUE 8\n".to_owned(),
        ),
        (
            "bpftool",
            "#!/bin/sh\necho 'struct of_the_kernel { long x; };'\n".to_owned(),
        ),
    ];
    for (count, (name, text)) in changes.iter().enumerate() {
        place.write(name, text);
        // Its types are asked for again only when the kernel has changed.
        place.write("vmlinux", &format!("a kernel{}", "!".repeat(count + 1)));
        place.compile().unwrap();
        assert_eq!(place.cached().len(), count + 2, "{name}");
    }
}

#[test]
fn a_source_that_does_not_compile_is_named_with_the_compilers_words() {
    let place = Place::new(&[
        ("good.bpf.c", GOOD),
        ("bad.bpf.c", "int f(void) { return missing(); }\n"),
        ("worse.bpf.c", "}\n"),
    ]);
    let error = place.compile().unwrap_err().to_string();
    for part in [
        "2 selftest(s)",
        "selftests/bad.bpf.c",
        "'missing'",
        "selftests/worse.bpf.c",
        "bad.bpf.c:1:",
    ] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    assert_eq!(
        place.cached().len(),
        1,
        "only the good one is cached, and nothing half written"
    );
}

#[test]
fn a_warning_is_an_error() {
    let place = Place::new(&[("a.bpf.c", "int f(void) { int unused; return 0; }\n")]);
    assert!(place.compile().unwrap_err().to_string().contains("unused"));
}

#[test]
fn no_source_at_all_is_an_error() {
    let error = Place::new(&[]).compile().unwrap_err().to_string();
    assert!(error.contains("there is no *.bpf.c"), "{error}");
}

#[test]
fn a_kernel_without_types_is_an_error_and_leaves_no_header() {
    let place = Place::new(&[("a.bpf.c", GOOD)]);
    place.write(
        "bpftool",
        "#!/bin/sh\necho 'half of it'\necho 'no BTF' >&2\nexit 1\n",
    );
    let error = format!("{:#}", place.compile().unwrap_err());
    assert!(
        error.contains("no BTF") && error.contains("CONFIG_DEBUG_INFO_BTF"),
        "{error}"
    );
    assert_eq!(names(&place.path("cache/vmlinux.h")), [""; 0]);
}
