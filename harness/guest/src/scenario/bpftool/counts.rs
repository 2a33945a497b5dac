// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! bpftool's counts of refused text.

use std::os::fd::AsFd;

use anyhow::{Context, Result};

use super::follow::{follow, note_end};
use super::id_of;
use crate::bpftool;
use crate::child::ChildProcess;
use crate::prog_run;
use crate::stream::Stream;
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;

/// Room for four long texts of the program, and not for a short one.
const ROOM: u32 = 4096;

/// Bytes that fit.
const TEXT: usize = 4 * 1001;

/// Part of each line of the program, except of a last line of one byte.
const LINE_MARK: &str = "where a text was cut";

/// Runs the program, which has three texts refused in each run, and notes bpftool's counts.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(ROOM)?;
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let id = id_of(program.as_fd())?;
    for stream in Stream::ALL {
        // the second round prints nothing, and the counts are still shown
        for (times, options) in [(1, &[][..]), (0, &["--json"])] {
            prog_run::run(&program, times, None)?;
            let words = ["prog", "tracelog", stream.name(), "id", &id];
            let output = bpftool::call(&mut bpftool::command(&[options, &words].concat()))?;
            ctx.note(format!("{stream} {options:?}: {}", output.status));
            note_text(ctx, &id, "stdout", &output.stdout);
            note_text(ctx, &id, "stderr", &output.stderr);
        }
    }
    Ok(None)
}

/// Follows the program while its text is refused.
pub fn run_follow(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(ROOM)?;
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let id = id_of(program.as_fd())?;
    let mut follower = follow(&[], Stream::Stdout, &["id", &id])?;
    let mut as_json = follow(&["--json"], Stream::Stderr, &["id", &id])?;
    for _ in 0..2 {
        // stopped followers read nothing, so that the same texts are refused in each run
        follower.stop()?;
        as_json.stop()?;
        prog_run::run(&program, 1, None)?;
        follower.resume()?;
        as_json.resume()?;
        follower.wait_for_bytes(Stream::Stdout, TEXT)?;
        as_json.wait_for_bytes(Stream::Stdout, TEXT)?;
        follower.wait_for_line(Stream::Stderr)?;
        note_unread(ctx, &id, "while it is followed", &mut follower);
        as_json.unread(Stream::Stdout).clear();
    }
    follower.signal(libc::SIGINT)?;
    as_json.signal(libc::SIGINT)?;
    note_end(ctx, "plain, at the end", &mut follower)?;
    let status = as_json.wait()?;
    let text = std::mem::take(as_json.unread(Stream::Stdout));
    let at_end = String::from_utf8_lossy(&text);
    let (_, refused) = at_end
        .split_once("],\"refused\":")
        .with_context(|| format!("no counts of refused text in `{at_end}`"))?;
    ctx.note(format!("JSON, at the end: {status}"));
    ctx.note(format!("  \"refused\":{refused}"));
    Ok(None)
}

fn note_unread(ctx: &mut TestCtx<'_>, id: &str, what: &str, follower: &mut ChildProcess) {
    ctx.note(what);
    for stream in Stream::ALL {
        let text = std::mem::take(follower.unread(stream));
        note_text(ctx, id, stream.name(), &text);
    }
}

/// Notes the text; lines of the program are only counted.
fn note_text(ctx: &mut TestCtx<'_>, id: &str, name: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text).replace(&format!("program {id} "), "program ID ");
    let (lines, others): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.contains(LINE_MARK));
    if !lines.is_empty() {
        ctx.note(format!("  {name}: {} lines of the program's", lines.len()));
    }
    for line in others {
        ctx.note(format!("  {name}: {line}"));
    }
}
