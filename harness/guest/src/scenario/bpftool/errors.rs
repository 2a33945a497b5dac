// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Invalid calls of bpftool: each fails with a reason, and none consumes text.

use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use libbpf_rs::Program;

use super::{BpfFs, id_of, note_call, tag_of};
use crate::bpftool;
use crate::prog_run;
use crate::settings;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;
use crate::wait::TIMEOUT;

/// The UID of `nobody`, which has no capabilities.
pub const NOBODY: u32 = 65534;

/// Runs the program, makes the invalid calls, and reads the text.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let run = prog_run::run(&program, 1, None)?;
    let id = &id_of(program.as_fd())?;
    for words in [
        &["stdin", "id", id][..],
        &["std", "id", id],
        &["stdout"],
        &["stdout", "id"],
        &["stdout", "the", "program"],
        &["stdout", "id", "one"],
        &["stdout", "name", "nobody"],
        &["stdout", "tag", "0000000000000000"],
        &["stdout", "pinned", "/tmp/nowhere"],
        &["stdout", "id", id, "twice"],
        &["stdout", "id", id, "twice", "--follow"],
        &["--follow"],
        &["--follow", "stdout"],
    ] {
        // the id differs from run to run
        let what = words.join(" ").replace(id.as_str(), "ID");
        note_call(ctx, &what, &mut tracelog(words))?;
    }
    // applies to all subcommands that take a program
    let show = ["prog", "show", "name", "nobody"];
    note_call(ctx, &show.join(" "), &mut bpftool::command(&show))?;
    Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    Ok(run.retval)
}

/// Calls bpftool for a program that has been freed.
pub fn run_freed_prog(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let mut program = loaded.program()?;
    prog_run::run(&program, 1, None)?;
    let id = id_of(program.as_fd())?;
    let bpffs = BpfFs::pin(&mut program)?;
    drop(loaded);
    note_with_id(
        ctx,
        "the pin holds it, by id",
        &id,
        &mut tracelog(&["stdout", "id", &id]),
    )?;
    drop(bpffs);
    wait_until_freed(&id)?;
    note_with_id(
        ctx,
        "gone, by id",
        &id,
        &mut tracelog(&["stdout", "id", &id]),
    )?;
    note_call(
        ctx,
        "gone, by pin",
        &mut tracelog(&["stdout", "pinned", BpfFs::PROGRAM]),
    )?;
    Ok(None)
}

/// Calls bpftool as `nobody`: by id, which requires a capability, and by pin, which requires
/// permissions on the file.
pub fn run_unprivileged(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let mut program = loaded.program()?;
    let run = prog_run::run(&program, 1, None)?;
    let id = id_of(program.as_fd())?;
    let _bpffs = BpfFs::pin(&mut program)?;
    let nobody = |words: &[&str]| {
        let mut command = tracelog(words);
        command.uid(NOBODY).gid(NOBODY);
        command
    };
    note_with_id(ctx, "by id", &id, &mut nobody(&["stdout", "id", &id]))?;
    note_call(
        ctx,
        "by pin",
        &mut nobody(&["stdout", "pinned", BpfFs::PROGRAM]),
    )?;
    Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    Ok(run.retval)
}

/// Calls bpftool with a name and a tag that two programs share.
pub fn run_ambiguous(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let one = ctx.load()?;
    let _other = ctx.load()?;
    let program = one.program()?;
    let run = prog_run::run(&program, 1, None)?;
    let name = program.name().to_string_lossy().into_owned();
    let tag = tag_of(program.as_fd())?;
    note_call(ctx, "by name", &mut tracelog(&["stdout", "name", &name]))?;
    note_call(ctx, "by tag", &mut tracelog(&["stdout", "tag", &tag]))?;
    Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    Ok(run.retval)
}

/// Waits until a program is freed, which happens some time after its pin is removed.
pub fn wait_until_freed(id: &str) -> Result<()> {
    let number = id.parse()?;
    let begun = Instant::now();
    while Program::fd_from_id(number).is_ok() {
        ensure!(
            begun.elapsed() < settings::scaled(TIMEOUT),
            "the program still exists without references"
        );
        thread::yield_now();
    }
    Ok(())
}

fn tracelog(words: &[&str]) -> Command {
    bpftool::command(&[&["prog", "tracelog"], words].concat())
}

/// As [`note_call`], with the id replaced, which differs from run to run.
fn note_with_id(ctx: &mut TestCtx<'_>, what: &str, id: &str, command: &mut Command) -> Result<()> {
    let before = ctx.output.notes.len();
    note_call(ctx, what, command)?;
    for note in &mut ctx.output.notes[before..] {
        *note = note.replace(&format!("({id})"), "(ID)");
    }
    Ok(())
}
