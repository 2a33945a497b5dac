// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `scripts/checkpatch.pl --strict` of the tree, with exceptions.

use anyhow::{Context as _, Result, bail};

use super::{Checkout, Findings};
use crate::env::cache_key::Digest;
use crate::env::command::{capture, cmd, shell_in};
use crate::env::tools::python;
use crate::queue::series::{Patch, Series};

/// An exception from checkpatch.
struct Exception {
    /// The prefix of the files' paths.
    files: &'static str,
    /// The types of messages.
    types: &'static [&'static str],
    /// The reason.
    reason: &'static str,
}

/// The exceptions. Each needs a reason that holds in a review.
const EXCEPTIONS: &[Exception] = &[
    Exception {
        files: "",
        types: &["FILE_PATH_CHANGES"],
        reason: "the headers of rqspinlock have their lines in MAINTAINERS; all other new files \
                 lie in folders that it has as a whole",
    },
    Exception {
        files: "",
        types: &["UNKNOWN_COMMIT_ID"],
        reason: "the tree is made of a source package, which has none of the commits that Fixes: \
                 names",
    },
    Exception {
        files: "arch/arm64/net/bpf_jit.h",
        types: &["CAMELCASE"],
        reason: "registers are called Rt and Xn there, as in Arm's manual",
    },
    Exception {
        files: "include/linux/",
        types: &["BIT_MACRO"],
        reason: "a flag that joins a list of (1 << n) is written like the others",
    },
    Exception {
        files: "include/linux/bpf.h",
        types: &["MACRO_ARG_REUSE"],
        reason: "bpf_stream_stage() and its printk take the name of a local variable, not an \
                 expression",
    },
    Exception {
        files: "include/linux/rqspinlock.h",
        types: &["NEW_TYPEDEFS", "MACRO_ARG_REUSE"],
        reason: "rqspinlock_t is a lock like spinlock_t, and named like it; the flags of a lock are \
                 the name of a local variable, as in spin_lock_irqsave()",
    },
    Exception {
        files: "kernel/bpf/core.c",
        types: &["INDENTED_LABEL", "MEMORY_BARRIER"],
        reason: "the interpreter's labels are written like the others there; a barrier that it \
                 executes is a program's, and so is what that pairs with",
    },
    Exception {
        files: "kernel/bpf/stream.c",
        types: &["VSPRINTF_SPECIFIER_PX"],
        reason: "a report prints addresses unhashed only if the program could print them itself, \
                 and kptr_restrict is 0",
    },
    Exception {
        files: "mm/maccess.c",
        types: &["CAMELCASE"],
        reason: "the label for what cannot be read is called Efault in all of its functions",
    },
    Exception {
        files: "tools/testing/selftests/bpf/",
        types: &[
            "ASSIGN_IN_IF",
            "AVOID_EXTERNS",
            "COMPLEX_MACRO",
            "LONG_LINE",
            "VOLATILE",
        ],
        reason: "test_loader.c and bpf_misc.h are written that way, on one line a tag; kfuncs are \
                 extern … __ksym; a macro for a long text is a string, which parentheses would \
                 keep from being joined; and programs wait for what another CPU writes",
    },
    Exception {
        files: "tools/lib/bpf/",
        types: &[
            "SPACING",
            "LINE_SPACING",
            "AVOID_EXTERNS",
            "CAMELCASE",
            "MACRO_ARG_UNUSED",
        ],
        reason: "libbpf's own style: `size_t :0;` ends its option structs, kfuncs are extern … \
                 __ksym, _Pragma is the compiler's; macros that count arguments use none of them",
    },
];

/// Runs checkpatch on every patch.
pub fn check(checkout: &Checkout<'_>, series: &Series, findings: &mut Findings) -> Result<()> {
    // checkpatch is that of the last patch, so the patch that adds a type is checked for it, too
    checkout.tree.check_out(super::SERIES)?;
    let version = checkout.tree.run([
        "rev-parse",
        &format!("{}:scripts/checkpatch.pl", super::SERIES),
    ])?;
    let exceptions: String = EXCEPTIONS
        .iter()
        .map(|e| format!("{} {:?} {}\n", e.files, e.types, e.reason))
        .collect();
    let stage = checkout.ctx.progress.stage("check", "checkpatch");
    for patch in &series.patches {
        let mut key = Digest::default();
        key.add("checkpatch", &version);
        key.add("exceptions", &exceptions);
        key.add("patch", &patch.text);
        stage.update(format!("checkpatch {}", patch.name));
        checkout.once(&key, findings, || run(checkout, patch))?;
    }
    stage.done(format!("checkpatch over {} patches", series.patches.len()));
    Ok(())
}

fn run(checkout: &Checkout<'_>, patch: &Patch) -> Result<Vec<String>> {
    let sh = shell_in(checkout.tree.dir())?;
    let path = &patch.path;
    let cmd = cmd!(
        sh,
        "perl scripts/checkpatch.pl --strict --terse --show-types --showfile --no-summary
            --color=never {path}"
    );
    // spdxcheck.py imports modules of Debian's packages; set-up checks the interpreter of this path
    let cmd = cmd.env("PATH", python::scripts_path());
    let out = capture(cmd)?;
    let said = String::from_utf8_lossy(&out.stdout);
    let stderr = String::from_utf8_lossy(&out.stderr);
    if !stderr.trim().is_empty() {
        bail!(
            "checkpatch did not run as it should over {}; `make doctor` shows what may be missing:\n{}",
            patch.name,
            stderr.trim_end()
        );
    }
    // 0: no message, 1: messages; other values are failures
    out.status
        .code()
        .filter(|code| [0, 1].contains(code))
        .with_context(|| format!("checkpatch ended with {} over {}", out.status, patch.name))?;
    Ok(said
        .lines()
        .filter(|line| !is_excepted(line))
        .map(|line| format!("{}: checkpatch: {line}", patch.name))
        .collect())
}

/// Lines are `file:line: LEVEL:TYPE: text`.
fn is_excepted(line: &str) -> bool {
    EXCEPTIONS.iter().any(|exception| {
        line.starts_with(exception.files)
            && exception
                .types
                .iter()
                .any(|kind| line.contains(&format!(":{kind}: ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_holds_for_its_files_and_types_only() {
        for line in [
            "kernel/bpf/stream.c:1: WARNING:FILE_PATH_CHANGES: added, moved or deleted file(s)",
            "tools/lib/bpf/bpf.h:705: ERROR:SPACING: space prohibited before that ':'",
        ] {
            assert!(is_excepted(line), "{line}");
        }
        for line in [
            "kernel/bpf/stream.c:9: ERROR:SPACING: space prohibited before that ':'",
            "tools/lib/bpf/bpf.h:7: WARNING:LONG_LINE: line length of 101 exceeds 100 columns",
            "kernel/bpf/x.c:1: CHECK:BIT_MACRO: Prefer using the BIT macro",
        ] {
            assert!(!is_excepted(line), "{line}");
        }
    }

    #[test]
    fn every_exception_says_why() {
        for exception in EXCEPTIONS {
            assert!(exception.reason.len() > 20 && !exception.types.is_empty());
        }
    }
}
