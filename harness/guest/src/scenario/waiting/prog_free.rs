// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The program is freed while its wake-up is pending.

use std::os::fd::AsFd;

use anyhow::Result;

use super::waiter;
use crate::poll;
use crate::scenario::wanted;
use crate::stream::Stream;
use crate::stream_fd::StreamFd;
use crate::test_ctx::TestCtx;

const ROUNDS: usize = 50;

/// Prints while a waiter waits, and closes the program and the descriptor at once, in both orders,
/// repeatedly.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    for round in 0..ROUNDS {
        let program = wanted::copy(&loaded)?;
        let descriptor = StreamFd::open(program.as_fd(), Stream::Stdout)?;
        let waiter = waiter(descriptor.as_fd(), poll::IN)?;
        wanted::print(program.as_fd(), Stream::Stdout, 1)?;
        if round % 2 == 0 {
            drop(program);
            drop(descriptor);
        } else {
            drop(descriptor);
            drop(program);
        }
        drop(waiter);
    }
    ctx.note(format!(
        "{ROUNDS} programs and descriptors closed right after a print that somebody waited for"
    ));
    Ok(None)
}
