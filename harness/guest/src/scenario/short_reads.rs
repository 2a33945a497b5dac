// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Reads both streams with a buffer of a few bytes, and notes what each read returned.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::Result;

use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Runs the program once and reads `size` bytes at a time.
pub fn run(ctx: &mut TestCtx<'_>, size: usize) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let run = prog_run::run(&program, 1, None)?;
    for stream in Stream::ALL {
        let (text, counts) = read_all(stream, program.as_fd(), size)?;
        ctx.note(format!("{stream}, {size} at a time: {}", describe(&counts)));
        match stream {
            Stream::Stdout => ctx.output.stdout = text,
            Stream::Stderr => ctx.output.stderr = text,
        }
    }
    Ok(run.retval)
}

/// The text, and the return value of every read, with the last 0.
fn read_all(stream: Stream, program: BorrowedFd<'_>, size: usize) -> Result<(Vec<u8>, Vec<usize>)> {
    let mut text = Vec::new();
    let mut counts = Vec::new();
    let mut buffer = vec![0; size];
    loop {
        let count = stream
            .read(program, &mut buffer)
            .map_err(|error| stream.read_error(&error))?;
        counts.push(count);
        if count == 0 {
            return Ok((text, counts));
        }
        text.extend_from_slice(&buffer[..count]);
    }
}

/// `5 × 5, 1 × 2, 1 × 0`.
fn describe(counts: &[usize]) -> String {
    counts
        .chunk_by(|a, b| a == b)
        .map(|same| format!("{} × {}", same.len(), same[0]))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_counts_are_grouped() {
        assert_eq!(describe(&[5, 5, 2, 0]), "2 × 5, 1 × 2, 1 × 0");
    }
}
