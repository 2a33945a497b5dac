// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `bpftool prog tracelog --follow`: what it shows, and when it ends.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::errors::{NOBODY, wait_until_freed};
use super::{BpfFs, id_of, note_lines};
use crate::bpftool;
use crate::child::ChildProcess;
use crate::prog_run;
use crate::settings;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// bpftool closes its fd of a program that was silent for a second. By this time it has done so at
/// least once.
const SILENCE: Duration = Duration::from_millis(2500);

/// Follows both streams of a program whose only reference is its pin, until the pin is removed.
pub fn run_freed_prog(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let mut program = loaded.program()?;
    let bpffs = BpfFs::pin(&mut program)?;
    let id = id_of(program.as_fd())?;
    let mut followers = Vec::new();
    for stream in Stream::ALL {
        followers.push((stream, follow(&[], stream, &["id", &id])?));
    }
    prog_run::run_fd(program.as_fd())?;
    wait_for_both(&mut followers, 1)?;
    drop(loaded);
    thread::sleep(settings::scaled(SILENCE));
    // opening fails if the program is gone; waiting below fails if the followers have ended
    prog_run::run_fd(BpfFs::open()?.as_fd())?;
    wait_for_both(&mut followers, 2)?;
    // the followers show these lines although they hold the last reference
    for (_, follower) in &followers {
        follower.stop()?;
    }
    prog_run::run_fd(BpfFs::open()?.as_fd())?;
    drop(bpffs);
    for (_, follower) in &followers {
        follower.resume()?;
    }
    for (stream, mut follower) in followers {
        note_end(ctx, stream.name(), &mut follower)?;
    }
    wait_until_freed(&id)?;
    Ok(None)
}

/// Waits until each follower has shown this many lines of its stream.
fn wait_for_both(followers: &mut [(Stream, ChildProcess)], lines: usize) -> Result<()> {
    for (stream, follower) in followers {
        follower.wait_for_bytes(*stream, lines * LINE.len())?;
    }
    Ok(())
}

/// Every line of the programs `gone` and `signals` has this length.
const LINE: &str = "line 1 to stdout\n";

/// A memfd with `text`: the guest's root is read-only.
fn file_in_memory(text: &str) -> Result<File> {
    // SAFETY: a C string.
    let fd = unsafe { libc::memfd_create(c"batch".as_ptr(), libc::MFD_CLOEXEC) };
    ensure!(fd >= 0, "memfd_create: {}", std::io::Error::last_os_error());
    // SAFETY: a new fd that nothing else owns.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(text.as_bytes())
        .context("cannot write to the memfd")?;
    Ok(file)
}

/// What ends a follower.
enum End {
    Signal(i32),
    /// The reader closes its pipe.
    Unread,
}

/// Ends followers before the program is freed; text printed later stays in the stream.
pub fn run_signals(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let id = id_of(program.as_fd())?;
    for (what, options, end) in [
        ("SIGINT", &[][..], End::Signal(libc::SIGINT)),
        ("SIGTERM", &[], End::Signal(libc::SIGTERM)),
        ("SIGHUP", &[], End::Signal(libc::SIGHUP)),
        ("SIGINT with --json", &["--json"], End::Signal(libc::SIGINT)),
        ("nobody reads it", &[], End::Unread),
    ] {
        prog_run::run_fd(program.as_fd())?;
        let mut follower = follow(options, Stream::Stdout, &["id", &id])?;
        follower.wait_for_bytes(Stream::Stdout, LINE.len())?;
        match end {
            End::Signal(signal) => follower.signal(signal)?,
            End::Unread => follower.close(Stream::Stdout),
        }
        note_end(ctx, what, &mut follower)?;
    }
    prog_run::run_fd(program.as_fd())?;
    Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
    Ok(None)
}

/// Follows a program from a batch file, which succeeds when the program is freed.
pub fn run_batch(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let id = id_of(program.as_fd())?;
    let batch = file_in_memory(&format!("prog tracelog stdout id {id}\n"))?;
    let path = format!("/proc/{}/fd/{}", std::process::id(), batch.as_raw_fd());
    let words = ["--follow", "batch", "file", &path];
    let mut follower = ChildProcess::start(&mut bpftool::command(&words))?;
    prog_run::run_fd(program.as_fd())?;
    follower.wait_for_bytes(Stream::Stdout, LINE.len())?;
    drop(loaded);
    note_end(ctx, "batch", &mut follower)?;
    Ok(None)
}

/// `nobody`, who may not open programs by id, follows a program by its pin until the pin is
/// removed. Text printed before that is shown, although the pin is gone when bpftool looks again.
pub fn run_pinned(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let mut program = loaded.program()?;
    let _bpffs = BpfFs::pin(&mut program)?;
    fs::set_permissions(BpfFs::PROGRAM, Permissions::from_mode(0o666))
        .context("cannot change the mode of the pin")?;
    let mut command = command(&[], Stream::Stdout, &["pinned", BpfFs::PROGRAM]);
    let mut follower = ChildProcess::start(command.uid(NOBODY).gid(NOBODY))?;
    prog_run::run_fd(program.as_fd())?;
    follower.wait_for_bytes(Stream::Stdout, LINE.len())?;
    thread::sleep(settings::scaled(SILENCE));
    prog_run::run_fd(program.as_fd())?;
    follower.wait_for_bytes(Stream::Stdout, 2 * LINE.len())?;
    follower.stop()?;
    prog_run::run_fd(program.as_fd())?;
    program
        .unpin(BpfFs::PROGRAM)
        .context("cannot unpin the program")?;
    thread::sleep(settings::scaled(SILENCE));
    follower.resume()?;
    note_end(ctx, "by pin", &mut follower)?;
    Ok(None)
}

/// Starts following. The option is last, as users would write it.
pub fn follow(options: &[&str], stream: Stream, program: &[&str]) -> Result<ChildProcess> {
    ChildProcess::start(&mut command(options, stream, program))
}

fn command(options: &[&str], stream: Stream, program: &[&str]) -> std::process::Command {
    let words = ["prog", "tracelog", stream.name()];
    bpftool::command(&[options, &words, program, &["--follow"]].concat())
}

/// Waits for the end, and notes the unread output.
pub fn note_end(ctx: &mut TestCtx<'_>, what: &str, follower: &mut ChildProcess) -> Result<()> {
    let status = follower.wait()?;
    ctx.note(format!("{what}: {status}"));
    for stream in Stream::ALL {
        let text = std::mem::take(follower.unread(stream));
        note_lines(ctx, stream.name(), &text);
    }
    ensure!(status.success(), "bpftool --follow failed: {status}");
    Ok(())
}
