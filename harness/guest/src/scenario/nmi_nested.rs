// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Attaches the program, and makes the host inject NMIs while the program `below` of the same
//! object runs on the CPU that they hit, until the attached program has printed to stdout.

use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use wire::Request;

use crate::cpus;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;
use crate::wait;

/// The first NMI may come before `below` runs.
const TRIES: usize = 10;

/// The CPU that receives injected NMIs.
const HIT: u32 = 0;

/// Attaches, runs, injects, waits, detaches, reads.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let below = loaded.other("below")?;
    let below = below.as_fd();
    let link = prog_run::attach(&program)?;
    let returned = thread::scope(|scope| {
        let below = scope.spawn(move || {
            cpus::stay_on(HIT)?;
            prog_run::run_fd(below)
        });
        let mut printed = Ok(());
        for _ in 0..TRIES {
            ctx.channel.request(Request::Nmi)?;
            let timeout = Duration::from_millis(300);
            printed = wait::for_bytes(
                Stream::Stdout,
                program.as_fd(),
                1,
                timeout,
                &mut ctx.output.stdout,
            );
            if printed.is_ok() {
                break;
            }
        }
        printed.with_context(|| format!("after {TRIES} NMIs"))?;
        below.join().map_err(|_| anyhow!("a thread panicked"))?
    })?;
    drop(link);
    ctx.note(format!("the program below returned {returned}"));
    Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    Ok(None)
}
