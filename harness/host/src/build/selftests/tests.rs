// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The real compiler, with small sources and a small header.

use super::*;
use crate::test_support::{names, write_executable};

const GOOD: &str = "#include <vmlinux.h>\n#include <bpf/bpf_helpers.h>\n\
    SEC(\"syscall\") int good(void *ctx) { return sizeof(struct of_the_kernel) == VALUE; }\n\
    char LICENSE[] SEC(\"license\") = \"GPL\";\n";

/// A clone, a cache, headers and a kernel in one folder.
struct TestClone {
    root: tempfile::TempDir,
}

impl TestClone {
    fn new(sources: &[(&str, &str)]) -> Self {
        let clone = Self {
            root: tempfile::tempdir().unwrap(),
        };
        for dir in ["repo/selftests", "include/bpf", "cache"] {
            fs::create_dir_all(clone.path(dir)).unwrap();
        }
        clone.write("vmlinux", "a kernel");
        write_executable(
            &clone.path("bpftool"),
            "#!/bin/sh\necho 'struct of_the_kernel { int x; };'\n",
        );
        clone.write(
            "include/bpf/bpf_helpers.h",
            "#define SEC(name) __attribute__((section(name), used))\n#define VALUE 4\n",
        );
        for (name, text) in sources {
            clone.write(&format!("repo/selftests/{name}"), text);
        }
        clone
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn compile(&self) -> Result<Vec<String>> {
        let ctx = Context {
            jobs: 2,
            ..Context::of_test(self.root.path())
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
fn every_source_is_compiled_once() {
    let clone = TestClone::new(&[
        ("a.bpf.c", GOOD),
        ("b.bpf.c", GOOD),
        ("notes.txt", ""),
        ("shared.h", ""),
    ]);
    assert_eq!(clone.compile().unwrap(), ["a.bpf.o", "b.bpf.o"]);
    let first = clone.cached();
    assert_eq!(first.len(), 2);
    clone.compile().unwrap();
    assert_eq!(clone.cached(), first);
}

#[test]
fn every_input_of_an_object_is_part_of_its_key() {
    let clone = TestClone::new(&[("a.bpf.c", GOOD), ("shared.h", "")]);
    clone.compile().unwrap();
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
        clone.write(name, text);
        // types are dumped again only if the kernel has changed
        clone.write("vmlinux", &format!("a kernel{}", "!".repeat(count + 1)));
        clone.compile().unwrap();
        assert_eq!(clone.cached().len(), count + 2, "{name}");
    }
}

#[test]
fn the_error_has_every_source_that_does_not_compile() {
    let clone = TestClone::new(&[
        ("good.bpf.c", GOOD),
        ("bad.bpf.c", "int f(void) { return missing(); }\n"),
        ("worse.bpf.c", "}\n"),
    ]);
    let error = clone.compile().unwrap_err().to_string();
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
        clone.cached().len(),
        1,
        "only the good one is cached, and no incomplete file"
    );
}

#[test]
fn a_warning_is_an_error() {
    let clone = TestClone::new(&[("a.bpf.c", "int f(void) { int unused; return 0; }\n")]);
    assert!(clone.compile().unwrap_err().to_string().contains("unused"));
}

#[test]
fn a_folder_without_sources_is_an_error() {
    let error = TestClone::new(&[]).compile().unwrap_err().to_string();
    assert!(error.contains("no *.bpf.c"), "{error}");
}

#[test]
fn a_kernel_without_types_is_an_error_and_leaves_no_header() {
    let clone = TestClone::new(&[("a.bpf.c", GOOD)]);
    clone.write(
        "bpftool",
        "#!/bin/sh\necho 'half of it'\necho 'no BTF' >&2\nexit 1\n",
    );
    let error = format!("{:#}", clone.compile().unwrap_err());
    assert!(
        error.contains("no BTF") && error.contains("CONFIG_DEBUG_INFO_BTF"),
        "{error}"
    );
    assert_eq!(names(&clone.path("cache/vmlinux.h")), [""; 0]);
}
