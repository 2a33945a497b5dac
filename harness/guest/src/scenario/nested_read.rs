// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The program `reader` is attached to the kernel function that a read calls for each piece of
//! text. It tries to read its own stdout there, while that stream is being read.

use std::os::fd::AsFd;

use anyhow::Result;

use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Reads the test's own stdout, which makes `reader` print, and then the stdout of `reader`.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let mut loaded = ctx.load()?;
    let retval = {
        let program = loaded.program()?;
        let retval = prog_run::run_fd(program.as_fd())?;
        Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
        let mut text = Vec::new();
        let reader = loaded.other("reader")?;
        Stream::Stdout.drain(reader.as_fd(), &mut text)?;
        ctx.note(format!(
            "stdout of reader: {:?}",
            String::from_utf8_lossy(&text)
        ));
        retval
    };
    loaded.detach_others();
    let reader = loaded.other("reader")?;
    Stream::Stderr.drain(reader.as_fd(), &mut ctx.output.stderr)?;
    Ok(Some(retval))
}
