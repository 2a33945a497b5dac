// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `bpftool prog tracelog --follow`: it shows what comes, and when it ends.

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

/// bpftool lets go of a program that was silent for a second: it has done so once by then, at least.
const SILENCE: Duration = Duration::from_millis(2500);

/// Follows both streams of a program that its pin holds alone, until it is not there any more.
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
    // were it gone, it could not be opened; had the followers ended, they would not be heard
    prog_run::run_fd(BpfFs::open()?.as_fd())?;
    wait_for_both(&mut followers, 2)?;
    // these they show though nobody but they holds the program any more
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

/// Waits until each follower has shown so many lines of its stream.
fn wait_for_both(followers: &mut [(Stream, ChildProcess)], lines: usize) -> Result<()> {
    for (stream, follower) in followers {
        follower.wait_for_bytes(*stream, lines * LINE.len())?;
    }
    Ok(())
}

/// As long as each of the lines of `gone` and `signals`.
const LINE: &str = "line 1 to stdout\n";

/// A file that holds `text`, and lies nowhere: the guest's root cannot be written to.
fn file_in_memory(text: &str) -> Result<File> {
    // SAFETY: the name ends with a zero.
    let fd = unsafe { libc::memfd_create(c"batch".as_ptr(), libc::MFD_CLOEXEC) };
    ensure!(
        fd >= 0,
        "cannot create a file in memory: {}",
        std::io::Error::last_os_error()
    );
    // SAFETY: a new fd that nobody else owns.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(text.as_bytes())
        .context("cannot write to a file in memory")?;
    Ok(file)
}

/// What makes a follower end.
enum End {
    Signal(i32),
    /// Nobody reads what it shows.
    Unread,
}

/// Has followers end before the program does; what was printed then is still there.
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

/// Follows a program out of a batch, which ends well when the program is gone.
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

/// Nobody, who may not open programs by their id, follows one by its pin until that is removed. What
/// was printed before is shown, though the pin is gone when it looks again.
pub fn run_pinned(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let mut program = loaded.program()?;
    let _bpffs = BpfFs::pin(&mut program)?;
    fs::set_permissions(BpfFs::PROGRAM, Permissions::from_mode(0o666))
        .context("cannot let everybody open the pin")?;
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

/// Starts to follow; the option stands behind what it is of, as users would put it.
pub fn follow(options: &[&str], stream: Stream, program: &[&str]) -> Result<ChildProcess> {
    ChildProcess::start(&mut command(options, stream, program))
}

fn command(options: &[&str], stream: Stream, program: &[&str]) -> std::process::Command {
    let words = ["prog", "tracelog", stream.name()];
    bpftool::command(&[options, &words, program, &["--follow"]].concat())
}

/// Waits for the end, and notes what was said that nobody has taken.
pub fn note_end(ctx: &mut TestCtx<'_>, what: &str, follower: &mut ChildProcess) -> Result<()> {
    let status = follower.wait()?;
    ctx.note(format!("{what}: {status}"));
    for stream in Stream::ALL {
        let text = std::mem::take(follower.unread(stream));
        note_lines(ctx, stream.name(), &text);
    }
    ensure!(status.success(), "following ended with {status}");
    Ok(())
}
