// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A reader follows a program that prints on two CPUs as fast as possible: read and refused lines
//! must add up to the printed lines, in number and in bytes.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use libbpf_rs::Program;

use super::{bpftool, lines, threads, wanted};
use crate::cpus;
use crate::fdinfo::Counters;
use crate::poll;
use crate::prog_run;
use crate::settings;
use crate::stream::Stream;
use crate::stream_fd::{End, StreamFd};
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;
use crate::wait::TIMEOUT;

const WRITERS: u32 = 2;

/// Lines that one run of the program prints.
const LINES_PER_RUN: u32 = 1000;

/// A quarter of what a run prints, so that lines are refused even on a slow kernel.
const ROOM: u32 = 4 << 10;

/// The program's `struct lines`: which lines to print.
#[repr(C)]
#[derive(Clone, Copy)]
struct LineRange {
    writer: u32,
    first: u32,
    count: u32,
}

/// A thread's work; returns the number of lines that it printed.
type Work<'a> = Box<dyn FnOnce() -> Result<u32> + Send + 'a>;

/// Writes and follows for the duration of a stress test, then checks the counts. The follower ends
/// with the program.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(ROOM)?;
    let program = wanted::copy(&ctx.load()?)?;
    let descriptor = StreamFd::open(program.as_fd(), Stream::Stdout)?;
    let mut received = Received::default();
    let printed = write_and(program, || follow(&descriptor, &mut received))?;
    let counters = Counters::of(descriptor.as_fd())?;
    ensure!(
        counters.pending(Stream::Stdout) == 0,
        "{} bytes are pending after everything was read",
        counters.pending(Stream::Stdout)
    );
    let refused = (
        counters.refused_messages(Stream::Stdout),
        counters.refused_bytes(Stream::Stdout),
    );
    check_counts(ctx, refused, printed, &received)
}

/// As [`run`], with bpftool as the follower, which ends when the program is freed.
pub fn run_bpftool(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(ROOM)?;
    let program = wanted::copy(&ctx.load()?)?;
    let id = Program::id_from_fd(program.as_fd()).context("cannot get the program's id")?;
    // reads nothing; its fdinfo outlives the program
    let descriptor = StreamFd::open(program.as_fd(), Stream::Stdout)?;
    let mut bpftool = bpftool::follow::follow(&[], Stream::Stdout, &["id", &id.to_string()])?;
    bpftool::follow::wait_until_opened(&bpftool, 1)?;
    let mut received = Received::default();
    let printed = write_and(program, || {
        while bpftool.read_some()? {
            received.read(bpftool.unread(Stream::Stdout))?;
        }
        Ok(())
    })?;
    let status = bpftool.wait()?;
    received.check_end(bpftool.unread(Stream::Stdout))?;
    ctx.note(format!("bpftool: {status}"));
    let counters = Counters::of(descriptor.as_fd())?;
    let reported = refused_in(&String::from_utf8_lossy(bpftool.unread(Stream::Stderr)))?;
    ensure!(
        reported.0 == counters.refused_messages(Stream::Stdout),
        "{} messages were refused, bpftool shows {}",
        counters.refused_messages(Stream::Stdout),
        reported.0
    );
    check_counts(ctx, reported, printed, &received)
}

/// Runs the program on one CPU per writer, and calls `work` meanwhile. The last writer to end frees
/// the program. Returns the number of printed lines.
fn write_and(program: OwnedFd, work: impl FnOnce() -> Result<()> + Send) -> Result<u64> {
    let until = Instant::now() + settings::stress();
    let program = Arc::new(program);
    let mut tasks: Vec<Work<'_>> = vec![Box::new(|| work().map(|()| 0))];
    for writer in 0..WRITERS {
        let program = Arc::clone(&program);
        tasks.push(Box::new(move || write(program.as_fd(), writer, until)));
    }
    drop(program);
    Ok(threads::run_parallel(tasks)?
        .into_iter()
        .map(u64::from)
        .sum())
}

fn write(program: BorrowedFd<'_>, writer: u32, until: Instant) -> Result<u32> {
    cpus::stay_on(writer)?;
    let mut first = 0;
    while Instant::now() < until {
        let mut wanted = LineRange {
            writer,
            first,
            count: LINES_PER_RUN,
        };
        let returned = prog_run::run_fd_with(program, &mut wanted)?;
        ensure!(returned == 0, "the program returned {returned}");
        first += LINES_PER_RUN;
    }
    Ok(first)
}

fn follow(descriptor: &StreamFd, received: &mut Received) -> Result<()> {
    let mut text = Vec::new();
    while descriptor.drain(&mut text)? == End::Empty {
        received.read(&mut text)?;
        let events = descriptor.wait(settings::scaled(TIMEOUT))?;
        ensure!(
            events & (poll::IN | poll::HUP) != 0,
            "neither text nor the end of the program"
        );
    }
    received.read(&mut text)?;
    received.check_end(&text)
}

/// The lines that were read.
#[derive(Default)]
struct Received {
    next: BTreeMap<u32, u32>,
    counts: BTreeMap<u32, u32>,
}

impl Received {
    /// Takes complete lines out of `text`. Numbers may have gaps where lines were refused.
    fn read(&mut self, text: &mut Vec<u8>) -> Result<()> {
        let whole = text.len() - text.len() % lines::LENGTH;
        for line in text[..whole].chunks(lines::LENGTH) {
            let (writer, number) = lines::parse(line)
                .with_context(|| format!("a torn line: {:?}", String::from_utf8_lossy(line)))?;
            let next = self.next.entry(writer).or_default();
            ensure!(
                number >= *next,
                "writer {writer}: found line {number}, expected {next} or later"
            );
            *next = number + 1;
            *self.counts.entry(writer).or_default() += 1;
        }
        text.drain(..whole);
        Ok(())
    }

    /// Checks that no incomplete line is left at the end.
    fn check_end(&self, rest: &[u8]) -> Result<()> {
        ensure!(rest.is_empty(), "the last line is torn: {rest:?}");
        Ok(())
    }
}

/// Every printed line was read or refused.
fn check_counts(
    ctx: &mut TestCtx<'_>,
    (refused, bytes): (u64, u64),
    printed: u64,
    received: &Received,
) -> Result<Option<i64>> {
    let read: u64 = received
        .counts
        .values()
        .map(|count| u64::from(*count))
        .sum();
    ensure!(
        read + refused == printed,
        "{read} lines were read and {refused} refused, {printed} were printed"
    );
    ensure!(
        bytes == refused * lines::LENGTH as u64,
        "{refused} refused lines have {bytes} bytes"
    );
    ensure!(
        refused > 0 && read > 0,
        "{read} lines were read, {refused} refused"
    );
    ctx.note("read + refused = printed, by the numbers of the lines and by their bytes");
    ctx.note("some were rejected, and the follower showed how many");
    Ok(None)
}

/// Messages and bytes that bpftool reported as refused: the last figures of each reason, added up.
fn refused_in(output: &str) -> Result<(u64, u64)> {
    let mut by_reason = BTreeMap::new();
    for line in output.lines() {
        let (counters, reason) = line
            .split_once(" so far: ")
            .with_context(|| format!("unexpected output of bpftool: `{line}`"))?;
        let numbers: Vec<u64> = counters
            .split(|char: char| !char.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect();
        let &[_id, messages, bytes] = numbers.as_slice() else {
            bail!("unexpected output of bpftool: `{line}`");
        };
        by_reason.insert(reason.to_owned(), (messages, bytes));
    }
    Ok(by_reason
        .values()
        .fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_figures_of_each_reason_are_added_up() {
        let output = "stdout of program 7 refused 1 message (16 bytes) so far: no room\n\
                    stdout of program 7 refused 3 messages (48 bytes) so far: no room\n\
                    stdout of program 7 refused 2 messages (32 bytes) so far: no memory\n";
        assert_eq!(refused_in(output).unwrap(), (5, 80));
        assert!(refused_in("unknown\n").is_err());
    }

    #[test]
    fn gaps_are_accepted_and_a_smaller_number_is_not() {
        let mut received = Received::default();
        let mut text = b"0000001 0000000\n0000001 0000004\n00000".to_vec();
        received.read(&mut text).unwrap();
        assert_eq!(received.counts, BTreeMap::from([(1, 2)]));
        assert_eq!(text, b"00000");
        let mut again = b"0000001 0000004\n".to_vec();
        assert!(received.read(&mut again).is_err());
    }
}
