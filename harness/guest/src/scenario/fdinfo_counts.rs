// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The counters in a program's fdinfo, before and after all text is read.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Result, ensure};

use super::tally_reports;
use crate::fdinfo::Counters;
use crate::prog_run;
use crate::stream::Stream;
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;

/// End of the line that a read returns for suppressed reports. The stream does not hold this line.
const NOTICE_END: &[u8] = b" further reports were suppressed\n";

/// Notes every counter that is not 0. The length of reports differs between machines, so the unread
/// bytes of stderr are only compared with the bytes that are read.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    note(ctx, fd, "before")?;
    let retval = prog_run::run_fd(fd)?;
    note(ctx, fd, "after the run")?;
    let pending = Counters::of(fd)?.pending(Stream::Stderr);
    let mut text = Vec::new();
    Stream::Stdout.drain(fd, &mut ctx.output.stdout)?;
    Stream::Stderr.drain(fd, &mut text)?;
    let read = text.len() - notice(&text).len();
    ensure!(
        usize::try_from(pending)? == read,
        "{pending} bytes were pending in stderr, but {read} were read"
    );
    let notes = tally_reports::tally(&text, &mut ctx.output.stderr)?;
    ctx.output.notes.extend(notes);
    note(ctx, fd, "after all was read")?;
    Ok(Some(retval))
}

/// As [`run`], with a limit of 4096 bytes.
pub fn run_within_4096(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(4096)?;
    run(ctx)
}

/// For counts that differ between runs: the program returns how many of its prints, and of those of
/// the programs that it names, were refused. The counters must match, all for this reason.
pub fn run_and_compare(ctx: &mut TestCtx<'_>, reason: &str) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let returned = prog_run::run_fd(program.as_fd())?;
    ensure!(returned > 0, "nothing was refused");
    let mut counted = 0;
    let mut programs = vec![program];
    for name in &ctx.spec.load_with {
        programs.push(loaded.other(name)?);
    }
    for program in &programs {
        for (name, count) in Counters::of(program.as_fd())?.iter() {
            if !name.contains("_refused_") || !name.ends_with("_msgs") {
                continue;
            }
            ensure!(count == 0 || name.contains(reason), "{name} is {count}");
            counted += count;
        }
    }
    ensure!(
        u64::try_from(returned)? == counted,
        "the programs returned {returned} refusals, fdinfo counts {counted}"
    );
    ctx.note(format!(
        "counted rejections ({reason}) equal the errors that the programs got"
    ));
    Ok(None)
}

/// The line about suppressed reports, if the text ends with it.
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
    let counters = Counters::of(program)?;
    let shown = counters.iter().count();
    ctx.note(format!("{when}: {shown} figures"));
    for (name, value) in counters.iter().filter(|(_, value)| *value > 0) {
        if name == "stderr_pending_bytes" {
            ctx.note("  stderr_pending_bytes: those that are read then");
        } else {
            ctx.note(format!("  {name}: {value}"));
        }
    }
    Ok(())
}
