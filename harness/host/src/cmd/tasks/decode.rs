// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A step of `make test`: the kernel's `scripts/decode_stacktrace.sh` decodes the frames of a report of
//! the last run.
//!
//! It is not part of boot-test, because the script starts binutils for each frame, which takes two
//! seconds.

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;

use crate::env::arch::Arch;
use crate::env::command::{command, output, shell_in};
use crate::env::context::Context;
use crate::queue::gittree::is_kernel_tree;
use crate::queue::series::Series;
use crate::queue::source;

/// A test whose report has frames of the exception handler, of programs and of a system call.
const TEST: &str = "arena_frames__subprogram";
/// The script, relative to the kernel's tree.
pub const SCRIPT: &str = "scripts/decode_stacktrace.sh";

/// Decodes the report and checks each frame.
pub fn run(ctx: &Context) -> Result<()> {
    let build = ctx.build_dir();
    let report = build.join(format!("last/streams/{TEST}.stderr"));
    let text = fs::read_to_string(&report).with_context(|| {
        format!(
            "cannot read the report {}, which boot-test leaves",
            report.display()
        )
    })?;
    let mut script = tempfile::NamedTempFile::new().context("cannot make a file for the script")?;
    script.write_all(script_text(ctx)?.as_bytes())?;
    let decoded = decode(ctx.arch, script.path(), &build.join("vmlinux"), &text)?;
    check(&text, &decoded)
}

/// The script of the tree that the kernel was built from.
fn script_text(ctx: &Context) -> Result<String> {
    if let Some(tree) = ctx.kernel.as_ref().filter(|path| is_kernel_tree(path)) {
        let path = tree.join(SCRIPT);
        return Ok(fs::read_to_string(&path)?);
    }
    let source = source::find(ctx)?;
    let tree = source.hold_tree(ctx)?;
    let commits = source.apply(&tree.git, &Series::load(&ctx.patches())?)?;
    let commit = commits.last().map_or("base", String::as_str);
    tree.git.run(["show", &format!("{commit}:{SCRIPT}")])
}

fn decode(arch: Arch, script: &Path, vmlinux: &Path, report: &str) -> Result<String> {
    let sh = shell_in("/")?;
    let cross = arch.cross_prefix();
    output(
        command(&sh, "bash")
            .arg(script)
            .arg(vmlinux)
            // the base path `/` keeps file names whole; otherwise the script decodes one more frame to
            // find it
            .arg("")
            .env("CROSS_COMPILE", cross)
            .stdin(report),
    )
}

/// Checks that there is a kernel frame and that each has become `symbol (file:line)`.
fn check(report: &str, decoded: &str) -> Result<()> {
    let frames: Vec<&str> = report.lines().filter_map(kernel_frame).collect();
    ensure!(
        !frames.is_empty(),
        "{TEST} left no report with a frame of the kernel's"
    );
    for symbol in frames {
        let found = decoded.lines().any(|line| is_decoded(line, symbol));
        ensure!(
            found,
            "{SCRIPT} did not find the file and line of {symbol}; it made of the report:\n{decoded}"
        );
    }
    Ok(())
}

/// The symbol of a kernel frame.
fn kernel_frame(line: &str) -> Option<&str> {
    let (symbol, _) = line.split_once("+0x")?;
    // names of kernel functions may begin with bpf_prog_, too, but have no tag of 16 digits
    let tag = symbol
        .strip_prefix("bpf_prog_")
        .and_then(|rest| rest.get(..16));
    let of_program = tag.is_some_and(|tag| tag.bytes().all(|digit| digit.is_ascii_hexdigit()));
    (!symbol.contains(' ') && !of_program).then_some(symbol)
}

fn is_decoded(line: &str, symbol: &str) -> bool {
    let place = line
        .strip_prefix(symbol)
        .and_then(|rest| rest.trim_end().strip_prefix(" ("))
        .and_then(|rest| rest.strip_suffix(')'));
    // one per inlined function, the innermost first
    let first = place.and_then(|place| place.split(' ').next());
    first
        .and_then(|place| place.rsplit_once(':'))
        .is_some_and(|(file, line)| !file.is_empty() && line.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
ERROR: Arena WRITE access at unmapped address 0x1000001000
CPU: 0 UID: 0 PID: 54 Comm: x
Call trace:
ex_handler_bpf+0x63/0x70
bpf_prog_21041109d1c11bdd_f+0x18/0x25
  touch(pointer); @ a.bpf.c:12
bpf_prog_test_run_syscall+0x1e7/0x360

";

    const DECODED: &str = "\
Call trace:
ex_handler_bpf (../arch/x86/net/bpf_jit_comp.c:1344 ../arch/x86/net/bpf_jit_comp.c:1351) \n\
bpf_prog_21041109d1c11bdd_f+0x18/0x25 \n\
bpf_prog_test_run_syscall (../net/bpf/test_run.c:1599) \n";

    #[test]
    fn every_kernel_frame_must_be_decoded() {
        check(REPORT, DECODED).unwrap();
        for (symbol, place) in [
            ("ex_handler_bpf", "../arch/x86/net/bpf_jit_comp.c:1344 "),
            ("bpf_prog_test_run_syscall", "../net/bpf/test_run.c:1599"),
        ] {
            let other = DECODED.replace(place, "??:? ");
            let error = check(REPORT, &other).unwrap_err().to_string();
            assert!(
                error.contains(&format!("file and line of {symbol};")),
                "{error}"
            );
        }
        let as_it_was = DECODED.replace(" (../net/bpf/test_run.c:1599)", "+0x1e7/0x360");
        check(REPORT, &as_it_was).unwrap_err();
    }

    #[test]
    fn a_report_without_frames_is_an_error() {
        check("", "").unwrap_err();
        check("text\n  a+0x1/0x2 @ b:1\n", "").unwrap_err();
    }
}
