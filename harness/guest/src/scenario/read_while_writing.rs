// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Two threads run the program while a third reads.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use super::{lines, threads};
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

const WRITERS: usize = 2;

/// Reads until the writers have ended, and then the rest.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let writing = AtomicUsize::new(WRITERS);
    let write = || {
        let retval = prog_run::run_fd(fd);
        writing.fetch_sub(1, Ordering::Release);
        retval.map(|retval| (retval, Vec::new()))
    };
    let read = || {
        let mut text = Vec::new();
        while writing.load(Ordering::Acquire) > 0 {
            Stream::Stdout.drain(fd, &mut text)?;
        }
        Stream::Stdout.drain(fd, &mut text)?;
        Ok((0, text))
    };
    type Work<'a> = Box<dyn FnOnce() -> Result<(i64, Vec<u8>)> + Send + 'a>;
    let tasks: Vec<Work<'_>> = vec![Box::new(&write), Box::new(&write), Box::new(read)];
    let (retvals, texts): (Vec<i64>, Vec<Vec<u8>>) =
        threads::run_parallel(tasks)?.into_iter().unzip();
    ctx.note(format!("the program returned {:?}", &retvals[..WRITERS]));
    ctx.note(lines::describe(&lines::check(&texts)?));
    Ok(None)
}
