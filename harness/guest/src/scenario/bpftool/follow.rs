// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `bpftool prog tracelog --follow`: what it shows, and when it ends.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::errors::{NOBODY, wait_until_freed};
use super::{BpfFs, id_of, note_lines};
use crate::bpftool;
use crate::child::ChildProcess;
use crate::prog_run;
use crate::scenario::wanted;
use crate::settings;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;
use crate::wait::TIMEOUT;

/// Follows both streams of a program whose last reference is its pin, until the pin is removed. The
/// followers do not hold the program, and show what it printed before the end.
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
    // opening fails if the program is gone; waiting below fails if the followers have ended
    prog_run::run_fd(BpfFs::open()?.as_fd())?;
    wait_for_both(&mut followers, 2)?;
    for (_, follower) in &followers {
        follower.stop()?;
    }
    prog_run::run_fd(BpfFs::open()?.as_fd())?;
    drop(bpffs);
    wait_until_freed(&id)?;
    ctx.note("freed while it is followed");
    for (_, follower) in &followers {
        follower.resume()?;
    }
    for (stream, mut follower) in followers {
        note_end(ctx, stream.name(), &mut follower)?;
    }
    Ok(None)
}

/// Follows two programs of the same name, which print by turns and are freed one after the other;
/// the text is shown in lines, with a line before it that names the program.
pub fn run_several(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    for options in [&[][..], &["--json"]] {
        let programs = [wanted::copy(&loaded)?, wanted::copy(&loaded)?];
        let ids = [id_of(programs[0].as_fd())?, id_of(programs[1].as_fd())?];
        let mut follower = follow(options, Stream::Stdout, &["name", COPY_NAME])?;
        wait_until_opened(&follower, programs.len())?;
        let [one, two] = programs;
        let mut shown = 0;
        for fd in [one.as_fd(), one.as_fd(), two.as_fd(), one.as_fd()] {
            prog_run::run_fd(fd)?;
            // a line that is shown names its program, so that the next print is a text of its own
            shown += 1;
            follower.wait_for_lines(Stream::Stdout, "line ", shown)?;
        }
        // the end of the first program comes before the last text of the second one
        let of_one = StreamFd::open(one.as_fd(), Stream::Stdout)?;
        drop(one);
        of_one.wait_for_hangup(TIMEOUT)?;
        prog_run::run_fd(two.as_fd())?;
        drop(two);
        note_end(ctx, &format!("two programs {options:?}"), &mut follower)?;
        for note in &mut ctx.output.notes {
            for (id, name) in ids.iter().zip(["A", "B"]) {
                *note = note
                    .replace(&format!("program {id}: "), &format!("program {name}: "))
                    .replace(&format!("\"id\":{id},"), &format!("\"id\":{name},"));
            }
        }
    }
    Ok(None)
}

/// The name of all programs that `load_insns` loads.
const COPY_NAME: &str = "load_insns";

/// Waits until each follower has shown this many lines of its stream.
fn wait_for_both(followers: &mut [(Stream, ChildProcess)], lines: usize) -> Result<()> {
    for (stream, follower) in followers {
        follower.wait_for_bytes(*stream, lines * LINE.len())?;
    }
    Ok(())
}

/// Waits until bpftool has opened the streams of this many programs, and closed the programs.
pub fn wait_until_opened(follower: &ChildProcess, count: usize) -> Result<()> {
    let dir = format!("/proc/{}/fd", follower.pid()?);
    let begun = Instant::now();
    loop {
        let (mut streams, mut programs) = (0, 0);
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {dir}"))? {
            // a file may be closed meanwhile
            let Ok(name) = entry.and_then(|entry| fs::read_link(entry.path())) else {
                continue;
            };
            let name = name.to_string_lossy();
            streams += usize::from(name.contains("bpf-stream"));
            programs += usize::from(name.contains("bpf-prog"));
        }
        if streams == count && programs == 0 {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < settings::scaled(TIMEOUT),
            "bpftool holds {streams} streams and {programs} programs, expected {count} streams"
        );
        thread::yield_now();
    }
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
        // not a number of bytes: JSON begins before the first text is read
        follower.wait_for_lines(Stream::Stdout, "line ", 1)?;
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

/// Follows a program from a batch file, which goes on when the program is freed. The option can
/// stand before the file or in the command.
pub fn run_batch(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    for (option, argument) in [(&["--follow"][..], ""), (&[], " --follow")] {
        let program = wanted::copy(&loaded)?;
        let id = id_of(program.as_fd())?;
        let batch = file_in_memory(&format!(
            "prog tracelog stdout id {id}{argument}\nversion\n"
        ))?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), batch.as_raw_fd());
        let words = [option, &["batch", "file", &path]].concat();
        let mut follower = ChildProcess::start(&mut bpftool::command(&words))?;
        prog_run::run_fd(program.as_fd())?;
        follower.wait_for_bytes(Stream::Stdout, LINE.len())?;
        drop(program);
        let before = ctx.output.notes.len();
        note_end(ctx, &format!("batch{argument}"), &mut follower)?;
        // the versions differ between the builds
        ctx.output.notes.retain(|note| {
            !["bpftool v", "libbpf v", "features:"]
                .iter()
                .any(|word| note.contains(word))
        });
        ensure!(
            ctx.output.notes.len() > before + 1,
            "the batch showed nothing"
        );
    }
    Ok(None)
}

/// `nobody`, who may not open programs by id, follows a program by its pin until the program is
/// freed.
pub fn run_pinned(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let mut program = loaded.program()?;
    let bpffs = BpfFs::pin(&mut program)?;
    let id = id_of(program.as_fd())?;
    fs::set_permissions(BpfFs::PROGRAM, Permissions::from_mode(0o666))
        .context("cannot change the mode of the pin")?;
    let mut command = command(&[], Stream::Stdout, &["pinned", BpfFs::PROGRAM]);
    let mut follower = ChildProcess::start(command.uid(NOBODY).gid(NOBODY))?;
    prog_run::run_fd(program.as_fd())?;
    follower.wait_for_bytes(Stream::Stdout, LINE.len())?;
    // the pin is only needed to begin
    drop(bpffs);
    prog_run::run_fd(program.as_fd())?;
    follower.wait_for_bytes(Stream::Stdout, 2 * LINE.len())?;
    follower.stop()?;
    prog_run::run_fd(program.as_fd())?;
    drop(loaded);
    wait_until_freed(&id)?;
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
