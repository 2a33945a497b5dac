// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The program is freed at a random moment of its readers: before, during and after reads and
//! waits, for the duration of a stress test. Everything that it printed must be read, and every
//! reader must find the end.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::poll::{self, Waiter};
use crate::scenario::blocked::TIMEOUT;
use crate::scenario::threads;
use crate::scenario::wanted::{self, LINE};
use crate::settings;
use crate::stream::Stream;
use crate::stream_fd::{End, StreamFd};
use crate::test_ctx::TestCtx;

/// Minimum number of rounds, even if they take longer than a stress test.
const ROUNDS: usize = 8;

/// A thread's work; returns the number of bytes that it read.
type Work<'a> = Box<dyn FnOnce() -> Result<usize> + Send + 'a>;

/// In each round three readers share a stream: one sleeps in reads, one in poll, one in an
/// edge-triggered epoll. The number of lines before the end differs between the rounds.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let until = Instant::now() + settings::stress();
    let mut rounds = 0;
    while rounds < ROUNDS || Instant::now() < until {
        let lines = [0, 1, 3, 100][rounds % 4];
        let program = wanted::copy(&loaded)?;
        round(program, lines).with_context(|| format!("round {rounds}"))?;
        rounds += 1;
    }
    // differs in every run, so it is not noted
    eprintln!("bpf-streams-guest: {rounds} programs were freed while they were read");
    ctx.note("all text of every program was read, and every reader found the end");
    Ok(None)
}

fn round(program: OwnedFd, lines: u32) -> Result<()> {
    let fd = program.as_fd();
    let blocking = StreamFd::open_blocking(fd, Stream::Stdout)?;
    let polled = StreamFd::open(fd, Stream::Stdout)?;
    let edge = StreamFd::open(fd, Stream::Stdout)?;
    let tasks: Vec<Work<'_>> = vec![
        Box::new(move || {
            for _ in 0..lines {
                wanted::print(program.as_fd(), Stream::Stdout, 1)?;
            }
            drop(program);
            Ok(0)
        }),
        Box::new(|| read_blocking(&blocking)),
        Box::new(|| {
            let mut text = Vec::new();
            polled.drain_to_end(TIMEOUT, &mut text)?;
            Ok(text.len())
        }),
        Box::new(|| read_edges(&edge)),
    ];
    let read: usize = threads::run_parallel(tasks)?.into_iter().sum();
    let printed = lines as usize * LINE;
    ensure!(
        read == printed,
        "{read} bytes were read, {printed} were printed"
    );
    Ok(())
}

fn read_blocking(descriptor: &StreamFd) -> Result<usize> {
    let mut bytes = 0;
    let mut buffer = [0; 8];
    loop {
        match descriptor.read(&mut buffer).context("cannot read")? {
            0 => return Ok(bytes),
            count => bytes += count,
        }
    }
}

fn read_edges(descriptor: &StreamFd) -> Result<usize> {
    let waiter = Waiter::new(descriptor.as_fd(), poll::IN | poll::EDGE).context("epoll")?;
    let mut text = Vec::new();
    while descriptor.drain(&mut text)? == End::Empty {
        // an edge is due although another reader may have taken the text
        if waiter
            .wait(settings::scaled(TIMEOUT))
            .context("epoll_wait")?
            == 0
        {
            bail!("no edge at the end of the program");
        }
    }
    Ok(text.len())
}
