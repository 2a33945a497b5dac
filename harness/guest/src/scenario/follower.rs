// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A program that prints on two CPUs as fast as it can, and one who follows it: what was read and
//! what was refused are what was printed, by the numbers of the lines, and by their bytes.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Stage, cpus, lines, threads};
use crate::fdinfo::Figures;
use crate::poll::{self, Waiter};
use crate::runner;
use crate::settings;
use crate::stream::Stream;
use crate::sysctl::Limit;

const WRITERS: u32 = 2;

/// Lines of one run of the program.
const AT_ONCE: u32 = 1000;

/// Little enough for some lines to be refused.
const ROOM: u32 = 32 << 10;

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

/// What a thread did.
enum Did {
    /// Printed so many lines.
    Wrote(u32),
    /// Read so many of each writer.
    Read(BTreeMap<u32, u32>),
}

/// Writes and follows for as long as the host says, then balances the books.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let limit = Limit::keep()?;
    limit.set(ROOM)?;
    let loaded = stage.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let until = Instant::now() + settings::stress();
    let writing = AtomicUsize::new(WRITERS as usize);
    type Work<'a> = Box<dyn FnOnce() -> Result<Did> + Send + 'a>;
    let mut works: Vec<Work<'_>> = vec![Box::new(|| follow(fd, &writing))];
    for writer in 0..WRITERS {
        let writing = &writing;
        works.push(Box::new(move || {
            let wrote = write(fd, writer, until);
            writing.fetch_sub(1, Ordering::Release);
            wrote
        }));
    }
    let mut printed = 0;
    let mut read = 0;
    for did in threads::at_once(works)? {
        match did {
            Did::Wrote(count) => printed += u64::from(count),
            Did::Read(writers) => {
                read = writers.values().map(|count| u64::from(*count)).sum();
            }
        }
    }
    balance(&Figures::of(fd)?, printed, read)?;
    stage.note("read + refused = printed, by the numbers of the lines and by their bytes");
    stage.note("some were refused, and the follower was told how many");
    Ok(None)
}

fn write(program: BorrowedFd<'_>, writer: u32, until: Instant) -> Result<Did> {
    cpus::stay_on(writer)?;
    let mut first = 0;
    while Instant::now() < until {
        let mut wanted = Lines {
            writer,
            first,
            count: AT_ONCE,
        };
        let returned = runner::run_fd_with(program, &mut wanted)?;
        ensure!(returned == 0, "the program returned {returned}");
        first += AT_ONCE;
    }
    Ok(Did::Wrote(first))
}

fn follow(program: BorrowedFd<'_>, writing: &AtomicUsize) -> Result<Did> {
    let waiter = Waiter::new(program, poll::STDOUT).context("cannot wait for the program")?;
    let mut books = Books::default();
    let mut text = Vec::new();
    loop {
        // looked at first: what is printed before it is 0 is found by the read below
        let more_may_come = writing.load(Ordering::Acquire) > 0;
        waiter.wait(NAP).context("epoll_wait")?;
        Stream::Stdout.drain(program, &mut text)?;
        books.read(&mut text)?;
        if !more_may_come {
            ensure!(text.is_empty(), "the last line is torn: {text:?}");
            return Ok(Did::Read(books.counts));
        }
    }
}

/// What was read, line by line.
#[derive(Default)]
struct Books {
    next: BTreeMap<u32, u32>,
    counts: BTreeMap<u32, u32>,
}

impl Books {
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
}

/// Numbers that were not read are those that were refused: there are as many of them.
fn balance(figures: &Figures, printed: u64, read: u64) -> Result<()> {
    let refused = figures.refused_messages(Stream::Stdout);
    let bytes = figures.refused_bytes(Stream::Stdout);
    ensure!(
        read + refused == printed,
        "{read} lines were read and {refused} refused, {printed} were printed"
    );
    ensure!(
        bytes == refused * lines::LENGTH as u64,
        "{refused} refused lines have {bytes} bytes"
    );
    ensure!(
        figures.pending(Stream::Stdout) == 0,
        "all is read, and {} bytes are pending",
        figures.pending(Stream::Stdout)
    );
    ensure!(
        refused > 0 && read > 0,
        "{read} lines were read, {refused} refused"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_no_mistake_and_going_back_is() {
        let mut books = Books::default();
        let mut text = b"0000001 0000000\n0000001 0000004\n00000".to_vec();
        books.read(&mut text).unwrap();
        assert_eq!(books.counts, BTreeMap::from([(1, 2)]));
        assert_eq!(text, b"00000");
        let mut again = b"0000001 0000004\n".to_vec();
        assert!(books.read(&mut again).is_err());
    }
}
