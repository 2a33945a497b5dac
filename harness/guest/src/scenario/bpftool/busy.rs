// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A program that prints faster than bpftool reads does not keep it from ending.

use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};

use super::id_of;
use crate::bpftool;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;

/// Bytes of a text of the test, which begins with the number of those before it, or blanks.
const RECORD: usize = 908;
const NUMBER: usize = 7;
const NO_NUMBER: &str = "       ";

/// What a run prints.
const RUN: usize = 80 * RECORD;

/// As much as a pipe takes, and as bpftool reads at once; a run prints more.
const PIPE_SIZE: usize = 64 << 10;

/// Runs before bpftool begins. It takes two pieces at most before somebody reads its pipe, and never
/// finds the stream empty.
const AHEAD: usize = 4;

/// What may be there when bpftool looks, as one more run comes before its pipe is read, and two pieces:
/// so much it says that it may show of what comes meanwhile.
const MOST: usize = (AHEAD + 1) * RUN + 2 * PIPE_SIZE;

/// Runs the program whenever a piece of what bpftool writes is read, until it ends.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let program = loaded.program()?;
    let fd = program.as_fd();
    let mut printed = 0;
    for _ in 0..AHEAD {
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
        // it would wait for its reader for ever
        let _ = child.kill();
    }
    let status = child.wait().context("cannot wait for bpftool")?;
    ensure!(
        shown? >= AHEAD * RUN,
        "bpftool did not show all that was there"
    );
    ctx.note(format!(
        "bpftool showed what was there, and at most 128 KiB of what came: {status}"
    ));
    let mut rest = Vec::new();
    Stream::Stdout.drain(fd, &mut rest)?;
    records.take(&rest)?;
    ensure!(
        records.rest.is_empty() && records.count as i64 == printed,
        "{printed} texts were printed, {} and {} bytes were read",
        records.count,
        records.rest.len()
    );
    ctx.note("what it showed and what was left: each text once, whole and in order");
    Ok(None)
}

/// Reads what bpftool writes, to its end; gives the bytes.
fn follow(
    child: &mut Child,
    records: &mut Records,
    mut print: impl FnMut() -> Result<()>,
) -> Result<usize> {
    let mut pipe = child.stdout.take().context("bpftool has no pipe")?;
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
        records.take(&buffer[..count])?;
        shown += count;
        ensure!(shown <= MOST, "bpftool has shown {shown} bytes and goes on");
    }
}

/// Texts, in the order in which they were printed.
#[derive(Default)]
struct Records {
    count: usize,
    /// Of a text whose end was not read yet.
    rest: Vec<u8>,
}

impl Records {
    /// Takes more of the stream. Each text ends with a line, and a number is that of the texts before.
    fn take(&mut self, text: &[u8]) -> Result<()> {
        self.rest.extend_from_slice(text);
        let whole = self.rest.len() - self.rest.len() % RECORD;
        for record in self.rest[..whole].chunks(RECORD) {
            let begin = String::from_utf8_lossy(&record[..NUMBER]);
            let is_right = begin.parse() == Ok(self.count) || begin == NO_NUMBER;
            ensure!(
                is_right && record[NUMBER] == b'\n' && record.ends_with(b"\n"),
                "`{begin}` where text {} was expected",
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
    fn records_may_come_in_any_pieces() {
        let text = [record("0000000"), record(NO_NUMBER), record("0000002")].concat();
        let mut records = Records::default();
        for piece in text.chunks(1000) {
            records.take(piece).unwrap();
        }
        assert_eq!((records.count, records.rest.len()), (3, 0));
    }

    #[test]
    fn a_record_that_is_lost_or_comes_twice_is_found() {
        let (first, blank, third) = (record("0000000"), record(NO_NUMBER), record("0000002"));
        let mut torn = blank.clone();
        torn.remove(400);
        for wrong in [
            vec![&first, &third],
            vec![&first, &blank, &blank, &third],
            vec![&first, &torn, &third],
        ] {
            let text: Vec<u8> = wrong.into_iter().flatten().copied().collect();
            assert!(Records::default().take(&text).is_err());
        }
    }
}
