// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What a program's fdinfo says was refused, before and after everything is read.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Result, ensure};

use super::{TestCtx, tally_reports};
use crate::fdinfo::Figures;
use crate::prog_run;
use crate::stream::Stream;
use crate::sysctl::Limit;

/// Ends the line that a reader gets for reports that were left out, which was never in the stream.
const NOTICE_END: &[u8] = b" further reports were suppressed\n";

/// Notes every figure that is not 0. How long reports are differs from machine to machine: of stderr's
/// unread bytes it holds that they are those that are read then.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    note(ctx, fd, "before")?;
    let retval = prog_run::run_fd(fd)?;
    note(ctx, fd, "after the run")?;
    let pending = Figures::of(fd)?.pending(Stream::Stderr);
    let mut text = Vec::new();
    Stream::Stdout.drain(fd, &mut ctx.seen.stdout)?;
    Stream::Stderr.drain(fd, &mut text)?;
    let read = text.len() - notice(&text).len();
    ensure!(
        usize::try_from(pending)? == read,
        "{pending} bytes were pending in stderr, and {read} were read then"
    );
    let notes = tally_reports::tally(&text, &mut ctx.seen.stderr)?;
    ctx.seen.notes.extend(notes);
    note(ctx, fd, "after all was read")?;
    Ok(Some(retval))
}

/// The same with room for 4096 bytes of unread text a stream.
pub fn run_within_4096(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(4096)?;
    run(ctx)
}

/// Where the number is not the same in every run: the program, and those it names, are told by as
/// many errors as it returns, and all for this reason.
pub fn run_as_told(ctx: &mut TestCtx<'_>, reason: &str) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let told = prog_run::run_fd(program.as_fd())?;
    ensure!(told > 0, "nothing was refused");
    let mut counted = 0;
    let mut programs = vec![program];
    for name in &ctx.spec.load_with {
        programs.push(loaded.other(name)?);
    }
    for program in &programs {
        for (name, count) in Figures::of(program.as_fd())?.iter() {
            if !name.contains("_refused_") || !name.ends_with("_msgs") {
                continue;
            }
            ensure!(count == 0 || name.contains(reason), "{name} is {count}");
            counted += count;
        }
    }
    ensure!(
        u64::try_from(told)? == counted,
        "the programs were told of {told} refusals, {counted} were counted"
    );
    ctx.note(format!(
        "as many refusals were counted ({reason}) as the programs were told of"
    ));
    Ok(None)
}

/// The line about reports that were left out, if the text ends with it.
fn notice(text: &[u8]) -> &[u8] {
    if !text.ends_with(NOTICE_END) {
        return &[];
    }
    let begin = text[..text.len() - 1]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |end| end + 1);
    &text[begin..]
}

fn note(ctx: &mut TestCtx<'_>, program: BorrowedFd<'_>, when: &str) -> Result<()> {
    let figures = Figures::of(program)?;
    let shown = figures.iter().count();
    ctx.note(format!("{when}: {shown} figures"));
    for (name, value) in figures.iter().filter(|(_, value)| *value > 0) {
        if name == "stderr_pending_bytes" {
            ctx.note("  stderr_pending_bytes: those that are read then");
        } else {
            ctx.note(format!("  {name}: {value}"));
        }
    }
    Ok(())
}
