// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A static libelf that links.
//!
//! libelf.a of elfutils 0.191 and 0.192 (Debian 13) calls functions of an internal library of elfutils
//! that is not installed, such as `eu_tsearch()`; built with zstd, it needs libzstd as well. If the
//! machine's libelf.a does not link, the cache gets one that does: a linker script with the machine's
//! library and what that lacks.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use crate::env::arch::Arch;
use crate::env::atomic;
use crate::env::cache_key::Digest;
use crate::env::command::{capture, cmd, last_lines, output, shell_in};
use crate::env::context::Context;
use crate::env::lock;

/// A program that opens an ELF file, which needs most of libelf.
const PROBE: &str = "#include <libelf.h>\n\
    int main(void) { return elf_begin(0, ELF_C_READ, 0) == 0; }\n";

/// The missing functions, as in elfutils' `lib/eu-search.c`, where the root is also the first member of the
/// tree. Without locks: the programs use an ELF file in one thread. They are weak, so that a complete
/// library overrides them.
const SEARCH: &str = r#"
#define _GNU_SOURCE
#include <search.h>

struct search_tree { void *root; };
typedef int compare_fn(const void *, const void *);
#define WEAK __attribute__((weak))

WEAK void *eu_tsearch(const void *key, struct search_tree *tree, compare_fn *compare)
{
	return tsearch(key, &tree->root, compare);
}

WEAK void *eu_tfind(const void *key, struct search_tree *tree, compare_fn *compare)
{
	return tfind(key, &tree->root, compare);
}

WEAK void *eu_tdelete(const void *key, struct search_tree *tree, compare_fn *compare)
{
	return tdelete(key, &tree->root, compare);
}

WEAK void eu_tdestroy(struct search_tree *tree, void (*free_node)(void *))
{
	tdestroy(tree->root, free_node);
	tree->root = 0;
}

WEAK void eu_search_tree_init(struct search_tree *tree)
{
	tree->root = 0;
}

WEAK void eu_search_tree_fini(struct search_tree *tree, void (*free_node)(void *))
{
	tdestroy(tree->root, free_node);
	tree->root = 0;
}
"#;

/// File name of the library.
const LIBRARY: &str = "libelf.a";

/// The folder of a libelf for static programs of `arch`, to be searched before others; `None` if the
/// machine's own, or the one of `sysroot`, links.
pub fn folder(ctx: &Context, arch: Arch, sysroot: Option<&Path>) -> Result<Option<PathBuf>> {
    let compiler = Compiler::of(arch, sysroot)?;
    let cache = ctx.cache_dir("libelf")?;
    let own = compiler.file(LIBRARY)?.with_context(|| {
        format!(
            "{} finds no {LIBRARY}; install libelf-dev (see `make doctor`)",
            compiler.gcc
        )
    })?;
    let dir = cache.join(key(arch, &own)?);
    let _lock = lock::take(&cache.join("lock"), ctx.progress)?;
    if dir.join(LIBRARY).is_file() {
        return Ok(Some(dir));
    }
    if dir.join(LINKS).is_file() {
        return Ok(None);
    }
    fs::create_dir_all(&dir)?;
    let first = compiler.link(&dir, None)?;
    let Err(missing) = first else {
        let links = dir.join(LINKS);
        fs::write(&links, "")?;
        return Ok(None);
    };
    compiler.complete(&dir, &own)?;
    if let Err(error) = compiler.link(&dir, Some(&dir))? {
        let _ = fs::remove_file(dir.join(LIBRARY));
        bail!(
            "cannot link a static program with {}:{missing}\n  with the functions of elfutils and libzstd:{error}",
            own.display()
        );
    }
    Ok(Some(dir))
}

/// File that exists if the machine's library links.
const LINKS: &str = "the-machines-links";

/// The key of `library`: of its contents, and of its path, which is in the script.
fn key(arch: Arch, library: &Path) -> Result<String> {
    let text = fs::read(library)?;
    let mut key = Digest::default();
    key.add("arch", arch.names().name);
    key.add("path", library.as_os_str().as_encoded_bytes());
    key.add("library", text);
    key.add("search", SEARCH);
    Ok(key.key())
}

/// The compiler of an architecture.
struct Compiler {
    gcc: String,
    linker: String,
    flags: Vec<String>,
}

impl Compiler {
    fn of(arch: Arch, sysroot: Option<&Path>) -> Result<Compiler> {
        let cross = arch.cross_prefix();
        let sysroot = sysroot.map(|dir| format!("--sysroot={}", dir.display()));
        Ok(Compiler {
            gcc: format!("{cross}gcc"),
            linker: format!("{cross}ld"),
            flags: sysroot.into_iter().collect(),
        })
    }

    /// The path at which the compiler finds a library.
    fn file(&self, name: &str) -> Result<Option<PathBuf>> {
        let sh = shell_in("/")?;
        let Compiler { gcc, flags, .. } = self;
        let path = output(cmd!(sh, "{gcc} {flags...} -print-file-name={name}"))?;
        // for a file that it does not find, the compiler prints only the name
        Ok(Some(PathBuf::from(path)).filter(|path| path.is_absolute() && path.is_file()))
    }

    /// Links a static program; returns the errors of the linker.
    fn link(&self, dir: &Path, library: Option<&Path>) -> Result<Result<(), String>> {
        let scratch = atomic::new_folder(dir)?;
        let sh = shell_in(scratch.path())?;
        fs::write(scratch.path().join("probe.c"), PROBE)?;
        let search = library.map(|dir| format!("-L{}", dir.display()));
        let Compiler { gcc, flags, .. } = self;
        let out = capture(cmd!(
            sh,
            "{gcc} {flags...} -static probe.c -o probe {search...} -lelf -lz"
        ))?;
        Ok(if out.status.success() {
            Ok(())
        } else {
            Err(last_lines(&out))
        })
    }

    /// Writes a library with `own` and what it lacks.
    fn complete(&self, dir: &Path, own: &Path) -> Result<()> {
        let sh = shell_in(dir)?;
        fs::write(dir.join("search.c"), SEARCH)?;
        let Compiler { gcc, linker, flags } = self;
        output(cmd!(
            sh,
            "{gcc} {flags...} -O2 -fPIC -c search.c -o search.o"
        ))?;
        let format = output(cmd!(sh, "{linker} --print-output-format"))?;
        let mut parts = vec![own.to_owned(), dir.join("search.o")];
        parts.extend(self.file("libzstd.a")?);
        let parts: Vec<String> = parts
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        // because of the format the linker of another architecture skips the script
        let script = format!(
            "/* GNU ld script */\nOUTPUT_FORMAT({format})\nGROUP ( {} )\n",
            parts.join(" ")
        );
        atomic::write(&dir.join(LIBRARY), script)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_library_that_calls_internal_functions_of_elfutils_is_completed() {
        let dir = tempfile::tempdir().unwrap();
        let run = |program: &str, args: &[&str]| {
            let status = Command::new(program)
                .args(args)
                .current_dir(dir.path())
                .status()
                .unwrap();
            assert!(status.success(), "{program} {args:?}");
        };
        // stands for Debian 13's libelf.a
        let broken = "#include <stddef.h>\n\
            struct tree { void *root; char lock[64]; };\n\
            void eu_search_tree_init(struct tree *);\n\
            void eu_search_tree_fini(struct tree *, void (*)(void *));\n\
            void *eu_tsearch(const void *, struct tree *, int (*)(const void *, const void *));\n\
            static int order(const void *a, const void *b) { return (a > b) - (a < b); }\n\
            static void keep(void *node) { (void)node; }\n\
            int works(void) {\n\
              struct tree tree; int a, *p; eu_search_tree_init(&tree);\n\
              p = *(int **)eu_tsearch(&a, &tree, order);\n\
              if (p != *(int **)eu_tsearch(&a, &tree, order)) return 0;\n\
              eu_search_tree_fini(&tree, keep); return p == &a && !tree.root; }\n";
        fs::write(dir.path().join("broken.c"), broken).unwrap();
        run("gcc", &["-c", "broken.c"]);
        run("ar", &["rcs", "libbroken.a", "broken.o"]);
        let arch = Arch::of_this_machine().unwrap();
        let compiler = Compiler::of(arch, None).unwrap();
        compiler
            .complete(dir.path(), &dir.path().join("libbroken.a"))
            .unwrap();
        let main = "int works(void);\nint main(void) { return !works(); }\n";
        fs::write(dir.path().join("main.c"), main).unwrap();
        run("gcc", &["-static", "main.c", "-o", "main", "-L.", "-lelf"]);
        run("./main", &[]);
    }

    #[test]
    fn another_library_or_architecture_has_another_key() {
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join(LIBRARY);
        fs::write(&library, "1").unwrap();
        let first = key(Arch::X86_64, &library).unwrap();
        assert_eq!(first, key(Arch::X86_64, &library).unwrap());
        assert_ne!(first, key(Arch::Arm64, &library).unwrap());
        fs::write(&library, "2").unwrap();
        assert_ne!(first, key(Arch::X86_64, &library).unwrap());
    }
}
