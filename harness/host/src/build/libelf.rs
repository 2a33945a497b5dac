// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A static libelf that links.
//!
//! libelf.a of elfutils 0.191 and 0.192, which Debian 13 has, calls functions of a library of elfutils
//! that is not installed (`eu_tsearch()` and others), and one that was built with zstd needs that, too.
//! Where the machine's does not link, the cache gets a `libelf.a` that does: a linker script that joins
//! the machine's with what it lacks.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::env::arch::Arch;
use crate::env::cache_key::Digest;
use crate::env::command::{capture, command, last_lines, output, shell_in};
use crate::env::context::Context;
use crate::env::lock;

/// A program that opens an ELF file, and by that needs most of libelf.
const PROBE: &str = "#include <libelf.h>\n\
    int main(void) { return elf_begin(0, ELF_C_READ, 0) == 0; }\n";

/// The functions that are missing, as elfutils' `lib/eu-search.c` has them, without its locks: the
/// programs of the harness use an ELF file in one thread. The tree's root is the first member there,
/// too. They are weak, so that those of a whole library come first.
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

/// The name of the folder's library.
const LIBRARY: &str = "libelf.a";

/// The folder to search for libelf before any other when a static program of `arch` is linked; none
/// where the machine's own, or that of `sysroot`, links.
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
    if dir.join(GOOD).is_file() {
        return Ok(None);
    }
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let first = compiler.link(&dir, None)?;
    let Err(missing) = first else {
        let good = dir.join(GOOD);
        fs::write(&good, "").with_context(|| format!("cannot write {}", good.display()))?;
        return Ok(None);
    };
    compiler.complete(&dir, &own)?;
    if let Err(said) = compiler.link(&dir, Some(&dir))? {
        let _ = fs::remove_file(dir.join(LIBRARY));
        bail!(
            "no static program can be linked with {}:{missing}\n  and with what it is known to lack:{said}",
            own.display()
        );
    }
    Ok(Some(dir))
}

/// Says that the machine's library links.
const GOOD: &str = "the-machines-links";

/// Another library has another key.
fn key(arch: Arch, library: &Path) -> Result<String> {
    let what = || format!("cannot read {}", library.display());
    let text = fs::read(library).with_context(what)?;
    let mut key = Digest::default();
    key.add("arch", arch.names().name);
    // its place is in the script
    key.add("place", library.as_os_str().as_encoded_bytes());
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
        let cross = match Arch::of_this_machine()? == arch {
            true => "",
            false => arch.names().cross,
        };
        let sysroot = sysroot.map(|dir| format!("--sysroot={}", dir.display()));
        Ok(Compiler {
            gcc: format!("{cross}gcc"),
            linker: format!("{cross}ld"),
            flags: sysroot.into_iter().collect(),
        })
    }

    /// Where the compiler finds a library.
    fn file(&self, name: &str) -> Result<Option<PathBuf>> {
        let sh = shell_in("/")?;
        let cmd = command(&sh, &self.gcc).args(&self.flags);
        let path = output(cmd.arg(format!("-print-file-name={name}")))?;
        // it repeats a name that it does not find
        Ok(Some(PathBuf::from(path)).filter(|path| path.is_absolute() && path.is_file()))
    }

    /// Links a static program; what is wrong comes back.
    fn link(&self, dir: &Path, library: Option<&Path>) -> Result<Result<(), String>> {
        let scratch = tempfile::tempdir_in(dir)
            .with_context(|| format!("cannot write to {}", dir.display()))?;
        let sh = shell_in(scratch.path())?;
        sh.write_file("probe.c", PROBE)
            .context("cannot write a probe of libelf")?;
        let search = library.map(|dir| format!("-L{}", dir.display()));
        let said = capture(
            command(&sh, &self.gcc)
                .args(&self.flags)
                .args(["-static", "probe.c", "-o", "probe"])
                .args(search)
                .args(["-lelf", "-lz"]),
        )?;
        Ok(if said.status.success() {
            Ok(())
        } else {
            Err(last_lines(&said))
        })
    }

    /// Writes a library that joins `own` with what it lacks.
    fn complete(&self, dir: &Path, own: &Path) -> Result<()> {
        let sh = shell_in(dir)?;
        sh.write_file("search.c", SEARCH)
            .with_context(|| format!("cannot write to {}", dir.display()))?;
        output(
            command(&sh, &self.gcc)
                .args(&self.flags)
                .args(["-O2", "-fPIC", "-c", "search.c", "-o", "search.o"]),
        )?;
        let format = output(command(&sh, &self.linker).arg("--print-output-format"))?;
        let mut parts = vec![own.to_owned(), dir.join("search.o")];
        parts.extend(self.file("libzstd.a")?);
        let parts: Vec<String> = parts
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        // the format lets the linker of another architecture pass it over
        let script = format!(
            "/* GNU ld script */\nOUTPUT_FORMAT({format})\nGROUP ( {} )\n",
            parts.join(" ")
        );
        sh.write_file(LIBRARY, script)
            .with_context(|| format!("cannot write to {}", dir.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// The functions do what elfutils' do, with the search trees of the C library.
    #[test]
    fn a_library_that_calls_elfutils_own_functions_is_completed() {
        let dir = tempfile::tempdir().unwrap();
        let run = |program: &str, args: &[&str]| {
            let status = Command::new(program)
                .args(args)
                .current_dir(dir.path())
                .status()
                .unwrap();
            assert!(status.success(), "{program} {args:?}");
        };
        // in the place of Debian 13's libelf.a
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
