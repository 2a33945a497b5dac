// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A program that prints on two CPUs as fast as it can, and one who follows it: what was read and
//! what was refused are what was printed, by the numbers of the lines, and by their bytes.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use libbpf_rs::Program;

use super::{bpftool, lines, threads};
use crate::cpus;
use crate::fdinfo::Counters;
use crate::poll::{self, Waiter};
use crate::prog_run;
use crate::settings;
use crate::stream::Stream;
use crate::sysctl::Limit;
use crate::test_ctx::TestCtx;

const WRITERS: u32 = 2;

/// Lines of one run of the program.
const AT_ONCE: u32 = 1000;

/// A quarter of what a run prints: on a slow kernel, too, some lines are refused.
const ROOM: u32 = 4 << 10;

/// How long the follower may sleep after the writers are done.
const NAP: Duration = Duration::from_millis(100);

/// The program's `struct lines`: which to print.
#[repr(C)]
#[derive(Clone, Copy)]
struct Lines {
    writer: u32,
    first: u32,
    count: u32,
}

/// What a thread does, and how many lines it has printed.
type Work<'a> = Box<dyn FnOnce() -> Result<u32> + Send + 'a>;

/// Writes and follows for as long as the host says, then balances the received.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(ROOM)?;
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let mut received = Received::default();
    let printed = write_and(fd, |writing| follow(fd, writing, &mut received))?;
    let counters = Counters::of(fd)?;
    ensure!(
        counters.pending(Stream::Stdout) == 0,
        "all is read, and {} bytes are pending",
        counters.pending(Stream::Stdout)
    );
    let refused = (
        counters.refused_messages(Stream::Stdout),
        counters.refused_bytes(Stream::Stdout),
    );
    check_counts(ctx, refused, printed, &received)
}

/// The same with bpftool as the follower, which ends when the program is gone.
pub fn run_bpftool(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(ROOM)?;
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let id = Program::id_from_fd(fd).context("cannot get the program's id")?;
    let mut bpftool = bpftool::follow::follow(&[], Stream::Stdout, &["id", &id.to_string()])?;
    let mut received = Received::default();
    let printed = write_and(fd, |writing| {
        while writing.load(Ordering::Acquire) > 0 {
            bpftool.read_within(NAP)?;
            received.read(bpftool.unread(Stream::Stdout))?;
        }
        Ok(())
    })?;
    let counters = Counters::of(fd)?;
    drop(loaded);
    let status = bpftool.wait()?;
    received.read(bpftool.unread(Stream::Stdout))?;
    received.close(bpftool.unread(Stream::Stdout))?;
    ctx.note(format!("bpftool: {status}"));
    let told = refused_in(&String::from_utf8_lossy(bpftool.unread(Stream::Stderr)))?;
    ensure!(
        told.0 == counters.refused_messages(Stream::Stdout),
        "{} were refused, bpftool said {}",
        counters.refused_messages(Stream::Stdout),
        told.0
    );
    check_counts(ctx, told, printed, &received)
}

/// Has the program print on as many CPUs as there are writers, and does the other work meanwhile,
/// which gets to know how many of them go on. Gives the number of lines.
fn write_and(
    fd: BorrowedFd<'_>,
    work: impl FnOnce(&AtomicUsize) -> Result<()> + Send,
) -> Result<u64> {
    let until = Instant::now() + settings::stress();
    let writing = &AtomicUsize::new(WRITERS as usize);
    let mut tasks: Vec<Work<'_>> = vec![Box::new(|| work(writing).map(|()| 0))];
    for writer in 0..WRITERS {
        tasks.push(Box::new(move || {
            let wrote = write(fd, writer, until);
            writing.fetch_sub(1, Ordering::Release);
            wrote
        }));
    }
    Ok(threads::run_parallel(tasks)?
        .into_iter()
        .map(u64::from)
        .sum())
}

fn write(program: BorrowedFd<'_>, writer: u32, until: Instant) -> Result<u32> {
    cpus::stay_on(writer)?;
    let mut first = 0;
    while Instant::now() < until {
        let mut wanted = Lines {
            writer,
            first,
            count: AT_ONCE,
        };
        let returned = prog_run::run_fd_with(program, &mut wanted)?;
        ensure!(returned == 0, "the program returned {returned}");
        first += AT_ONCE;
    }
    Ok(first)
}

fn follow(program: BorrowedFd<'_>, writing: &AtomicUsize, received: &mut Received) -> Result<()> {
    let waiter = Waiter::new(program, poll::STDOUT).context("cannot wait for the program")?;
    let mut text = Vec::new();
    loop {
        // looked at first: what is printed before it is 0 is found by the read below
        let more_may_come = writing.load(Ordering::Acquire) > 0;
        waiter.wait(NAP).context("epoll_wait")?;
        Stream::Stdout.drain(program, &mut text)?;
        received.read(&mut text)?;
        if !more_may_come {
            return received.close(&text);
        }
    }
}

/// What was read, line by line.
#[derive(Default)]
struct Received {
    next: BTreeMap<u32, u32>,
    counts: BTreeMap<u32, u32>,
}

impl Received {
    /// Takes the lines that are whole. Their numbers may have gaps, where some were refused.
    fn read(&mut self, text: &mut Vec<u8>) -> Result<()> {
        let whole = text.len() - text.len() % lines::LENGTH;
        for line in text[..whole].chunks(lines::LENGTH) {
            let (writer, number) = lines::parse(line)
                .with_context(|| format!("a torn line: {:?}", String::from_utf8_lossy(line)))?;
            let next = self.next.entry(writer).or_default();
            ensure!(
                number >= *next,
                "writer {writer}: line {number} where {next} or later was expected"
            );
            *next = number + 1;
            *self.counts.entry(writer).or_default() += 1;
        }
        text.drain(..whole);
        Ok(())
    }

    /// Has a look at what is left when all was read.
    fn close(&self, rest: &[u8]) -> Result<()> {
        ensure!(rest.is_empty(), "the last line is torn: {rest:?}");
        Ok(())
    }
}

/// Numbers that were not read are those that were refused: there are as many of them.
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
    ctx.note("some were refused, and the follower was told how many");
    Ok(None)
}

/// Messages and bytes that bpftool said were refused: by each reason, what it said last.
fn refused_in(said: &str) -> Result<(u64, u64)> {
    let mut by_reason = BTreeMap::new();
    for line in said.lines() {
        let (counters, reason) = line
            .split_once(" so far: ")
            .with_context(|| format!("bpftool said `{line}`"))?;
        let numbers: Vec<u64> = counters
            .split(|char: char| !char.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect();
        let &[_id, messages, bytes] = numbers.as_slice() else {
            bail!("bpftool said `{line}`");
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
    fn what_was_said_last_of_a_reason_counts() {
        let said = "stdout of program 7 refused 1 message (16 bytes) so far: no room\n\
                    stdout of program 7 refused 3 messages (48 bytes) so far: no room\n\
                    stdout of program 7 refused 2 messages (32 bytes) so far: no memory\n";
        assert_eq!(refused_in(said).unwrap(), (5, 80));
        assert!(refused_in("what else\n").is_err());
    }

    #[test]
    fn gaps_are_no_mistake_and_going_back_is() {
        let mut received = Received::default();
        let mut text = b"0000001 0000000\n0000001 0000004\n00000".to_vec();
        received.read(&mut text).unwrap();
        assert_eq!(received.counts, BTreeMap::from([(1, 2)]));
        assert_eq!(text, b"00000");
        let mut again = b"0000001 0000004\n".to_vec();
        assert!(received.read(&mut again).is_err());
    }
}
