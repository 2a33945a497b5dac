// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! bpftool ends although the program prints faster than bpftool reads.

use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};

use super::id_of;
use crate::bpftool;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Bytes of a record, which begins with the number of earlier records or with blanks.
const RECORD: usize = 908;
const NUMBER: usize = 7;
const NO_NUMBER: &str = "       ";

/// Bytes that one run prints.
const RUN_BYTES: usize = 80 * RECORD;

/// Capacity of a pipe, and the size of bpftool's reads; a run prints more.
const PIPE_SIZE: usize = 64 << 10;

/// Runs before bpftool starts. bpftool writes at most two pieces before the pipe is read, and never
/// finds the stream empty.
const RUNS_AHEAD: usize = 4;

/// The maximum that bpftool may show: what is unread when it starts, with one more run before its
/// pipe is read, and two pieces of new text, as documented.
const MAX_SHOWN: usize = (RUNS_AHEAD + 1) * RUN_BYTES + 2 * PIPE_SIZE;

/// Runs the program whenever a piece of bpftool's output is read, until bpftool ends.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let mut printed = 0;
    for _ in 0..RUNS_AHEAD {
        printed = prog_run::run_fd(fd)?;
    }
    let id = id_of(fd)?;
    let mut child = bpftool::command(&["prog", "tracelog", "stdout", "id", &id])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start bpftool")?;
    let mut records = Records::default();
    let shown = follow(&mut child, &mut records, || {
        printed = prog_run::run_fd(fd)?;
        Ok(())
    });
    if shown.is_err() {
        // otherwise it would wait for a reader forever
        let _ = child.kill();
    }
    let status = child.wait().context("cannot wait for bpftool")?;
    ensure!(
        shown? >= RUNS_AHEAD * RUN_BYTES,
        "bpftool did not show all text that was unread when it started"
    );
    ctx.note(format!(
        "bpftool showed what was there, and at most 128 KiB of what came: {status}"
    ));
    let mut rest = Vec::new();
    Stream::Stdout.drain(fd, &mut rest)?;
    records.add(&rest)?;
    ensure!(
        records.rest.is_empty() && records.count as i64 == printed,
        "{printed} records were printed, {} records and {} bytes were read",
        records.count,
        records.rest.len()
    );
    ctx.note("what it showed and what was left: each text once, whole and in order");
    Ok(None)
}

/// Reads bpftool's output to its end; returns the number of bytes.
fn follow(
    child: &mut Child,
    records: &mut Records,
    mut print: impl FnMut() -> Result<()>,
) -> Result<usize> {
    let mut pipe = child
        .stdout
        .take()
        .context("the pipe of bpftool is missing")?;
    let mut buffer = vec![0; PIPE_SIZE];
    let mut shown = 0;
    loop {
        print()?;
        let count = pipe
            .read(&mut buffer)
            .context("cannot read bpftool's pipe")?;
        if count == 0 {
            return Ok(shown);
        }
        records.add(&buffer[..count])?;
        shown += count;
        ensure!(
            shown <= MAX_SHOWN,
            "bpftool has shown {shown} bytes and is still running"
        );
    }
}

/// Records in the order in which they were printed.
#[derive(Default)]
struct Records {
    count: usize,
    /// The incomplete last record.
    rest: Vec<u8>,
}

impl Records {
    /// Checks more text. A record ends with a newline, and its number is that of the records before
    /// it.
    fn add(&mut self, text: &[u8]) -> Result<()> {
        self.rest.extend_from_slice(text);
        let whole = self.rest.len() - self.rest.len() % RECORD;
        for record in self.rest[..whole].chunks(RECORD) {
            let begin = String::from_utf8_lossy(&record[..NUMBER]);
            let is_right = begin.parse() == Ok(self.count) || begin == NO_NUMBER;
            ensure!(
                is_right && record[NUMBER] == b'\n' && record.ends_with(b"\n"),
                "found `{begin}` instead of record {}",
                self.count
            );
            self.count += 1;
        }
        self.rest.drain(..whole);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(begin: &str) -> Vec<u8> {
        let mut record = format!("{begin}\n").into_bytes();
        record.resize(RECORD - 1, b'.');
        record.push(b'\n');
        record
    }

    #[test]
    fn records_may_be_split_at_any_byte() {
        let text = [record("0000000"), record(NO_NUMBER), record("0000002")].concat();
        let mut records = Records::default();
        for piece in text.chunks(1000) {
            records.add(piece).unwrap();
        }
        assert_eq!((records.count, records.rest.len()), (3, 0));
    }

    #[test]
    fn lost_and_duplicate_records_are_found() {
        let (first, blank, third) = (record("0000000"), record(NO_NUMBER), record("0000002"));
        let mut torn = blank.clone();
        torn.remove(400);
        for wrong in [
            vec![&first, &third],
            vec![&first, &blank, &blank, &third],
            vec![&first, &torn, &third],
        ] {
            let text: Vec<u8> = wrong.into_iter().flatten().copied().collect();
            assert!(Records::default().add(&text).is_err());
        }
    }
}
