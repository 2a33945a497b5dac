// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! bpftool of the patched tree, which the host has put into the guest's root.

use std::os::fd::BorrowedFd;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use libbpf_rs::Program;

use crate::stream::Stream;

const BPFTOOL: &str = "/bin/bpftool";

/// A call of bpftool that was not made yet.
pub fn command(words: &[&str]) -> Command {
    let mut command = Command::new(BPFTOOL);
    command.args(words);
    command
}

/// Makes the call, and waits for its end.
pub fn call(command: &mut Command) -> Result<Output> {
    command
        .output()
        .with_context(|| format!("cannot run {BPFTOOL}"))
}

/// Has bpftool show a stream of the program; gives what it wrote to the stream of its own that has
/// the same name. The other must stay empty.
pub fn show(stream: Stream, program: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let id = Program::id_from_fd(program).context("cannot get the program's id")?;
    let words = ["prog", "tracelog", stream.name(), "id", &id.to_string()];
    let output = call(&mut command(&words))?;
    let (text, other) = match stream {
        Stream::Stdout => (output.stdout, output.stderr),
        Stream::Stderr => (output.stderr, output.stdout),
    };
    ensure!(
        output.status.success() && other.is_empty(),
        "`bpftool {}` ended with {} and said: {}{}",
        words.join(" "),
        output.status,
        String::from_utf8_lossy(&text),
        String::from_utf8_lossy(&other)
    );
    Ok(text)
}
