// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Output of `bpftool prog tracelog`.

use std::ffi::{CStr, CString};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use libbpf_rs::{Program, ProgramMut, libbpf_sys};

use crate::bpftool;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

pub mod busy;
pub mod counts;
pub mod errors;
pub mod follow;

/// A mounted BPF file system with a pinned program. Dropping it unmounts.
struct BpfFs;

impl BpfFs {
    /// The kernel's mount point.
    const DIR: &'static CStr = c"/sys/fs/bpf";
    /// The path of the pin.
    const PROGRAM: &'static str = "/sys/fs/bpf/program";

    /// Mounts the file system and pins the program.
    fn pin(program: &mut ProgramMut<'_>) -> Result<BpfFs> {
        let bpffs = BpfFs::mount()?;
        program
            .pin(BpfFs::PROGRAM)
            .context("cannot pin the program")?;
        Ok(bpffs)
    }

    fn mount() -> Result<BpfFs> {
        let kind = c"bpf".as_ptr();
        // SAFETY: three C strings, and no data.
        let ret = unsafe { libc::mount(kind, BpfFs::DIR.as_ptr(), kind, 0, std::ptr::null()) };
        ensure!(
            ret == 0,
            "cannot mount {:?}: {}",
            BpfFs::DIR,
            std::io::Error::last_os_error()
        );
        Ok(BpfFs)
    }

    /// Opens the pinned program.
    fn open() -> Result<OwnedFd> {
        let path = CString::new(BpfFs::PROGRAM)?;
        // SAFETY: a C string.
        let fd = unsafe { libbpf_sys::bpf_obj_get(path.as_ptr()) };
        ensure!(
            fd >= 0,
            "cannot open {}: {}",
            BpfFs::PROGRAM,
            std::io::Error::from_raw_os_error(-fd)
        );
        // SAFETY: a new fd that nothing else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

impl Drop for BpfFs {
    fn drop(&mut self) {
        // unmounting removes the pin; if it fails, nothing can be done here
        // SAFETY: a C string.
        let _ = unsafe { libc::umount(BpfFs::DIR.as_ptr()) };
    }
}

/// Runs the program once and prints both streams with bpftool. A second call must print nothing,
/// which is noted.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let run = prog_run::run(&program, 1, None)?;
    ctx.output.stdout = bpftool::show(Stream::Stdout, program.as_fd())?;
    ctx.output.stderr = bpftool::show(Stream::Stderr, program.as_fd())?;
    for stream in Stream::ALL {
        let left = bpftool::show(stream, program.as_fd())?;
        ctx.note(format!("{stream} afterwards: {} bytes", left.len()));
    }
    Ok(run.retval)
}

/// Runs the program once for each way to specify it.
pub fn run_prog_specs(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let mut program = loaded.program()?;
    let _bpffs = BpfFs::pin(&mut program)?;
    let id = id_of(program.as_fd())?;
    let tag = tag_of(program.as_fd())?;
    let name = program.name().to_string_lossy().into_owned();
    for (kind, word) in [
        ("id", id.as_str()),
        ("pinned", BpfFs::PROGRAM),
        ("name", name.as_str()),
        ("tag", tag.as_str()),
    ] {
        prog_run::run(&program, 1, None)?;
        for stream in Stream::ALL {
            let words = ["prog", "tracelog", stream.name(), kind, word];
            note_call(
                ctx,
                &format!("{stream} by {kind}"),
                &mut bpftool::command(&words),
            )?;
        }
    }
    Ok(None)
}

/// Runs the program and prints its streams as JSON, with `--json` and with `--pretty`.
pub fn run_json(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let id = id_of(program.as_fd())?;
    let mut retval = None;
    for option in ["--json", "--pretty"] {
        retval = prog_run::run(&program, 1, None)?.retval;
        for stream in Stream::ALL {
            let words = [option, "prog", "tracelog", stream.name(), "id", &id];
            let output = bpftool::call(&mut bpftool::command(&words))?;
            serde_json::from_slice::<serde_json::Value>(&output.stdout).with_context(|| {
                format!("the output of bpftool {option} for {stream} is not JSON")
            })?;
            ctx.note(format!("{stream} with {option}, {}", output.status));
            note_lines(ctx, "stdout", &output.stdout);
            note_lines(ctx, "stderr", &output.stderr);
        }
    }
    Ok(retval)
}

/// Runs the program and prints as JSON a line that is too long for one string.
pub fn run_long_line(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let id = id_of(program.as_fd())?;
    let run = prog_run::run(&program, 1, None)?;
    let words = ["--json", "prog", "tracelog", "stdout", "id", &id];
    let output = bpftool::call(&mut bpftool::command(&words))?;
    let shown: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("the output of bpftool is not JSON")?;
    let parts: Vec<&str> = shown["lines"]
        .as_array()
        .context("the output of bpftool has no `lines`")?
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    ctx.note(format!("{} strings, {}", parts.len(), output.status));
    let text = parts.concat();
    ensure!(
        text.chars().all(|char| char == '\u{20ac}'),
        "the line was split within a character"
    );
    ctx.note(format!(
        "joined: {} characters, all whole",
        text.chars().count()
    ));
    Ok(run.retval)
}

/// Notes the lines about tracelog in `bpftool prog help`.
pub fn run_help(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let output = bpftool::call(&mut bpftool::command(&["prog", "help"]))?;
    ctx.note(format!("bpftool prog help, {}", output.status));
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        if line.contains("tracelog") || line.contains("PROG :=") {
            ctx.note(line.trim());
        }
    }
    Ok(None)
}

/// Runs the command, and notes its exit status and output.
fn note_call(ctx: &mut TestCtx<'_>, what: &str, command: &mut Command) -> Result<()> {
    let output = bpftool::call(command)?;
    ctx.note(format!("{what}: {}", output.status));
    note_lines(ctx, "stdout", &output.stdout);
    note_lines(ctx, "stderr", &output.stderr);
    Ok(())
}

/// Notes the lines of one of bpftool's streams.
fn note_lines(ctx: &mut TestCtx<'_>, name: &str, text: &[u8]) {
    for line in String::from_utf8_lossy(text).lines() {
        ctx.note(format!("  {name}: {line}"));
    }
}

fn id_of(program: BorrowedFd<'_>) -> Result<String> {
    let id = Program::id_from_fd(program).context("cannot get the program's id")?;
    Ok(id.to_string())
}

/// The program's tag, from its fdinfo.
fn tag_of(program: BorrowedFd<'_>) -> Result<String> {
    let file = format!("/proc/self/fdinfo/{}", program.as_raw_fd());
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("prog_tag:"))
        .map(|tag| tag.trim().to_owned())
        .with_context(|| format!("{file} has no prog_tag"))
}
