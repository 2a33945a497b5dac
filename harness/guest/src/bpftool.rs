// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Calls the patched tree's bpftool, which the host puts into the guest's root.

use std::os::fd::BorrowedFd;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use libbpf_rs::Program;

use crate::stream::Stream;

const BPFTOOL: &str = "/bin/bpftool";

/// A command for bpftool with these arguments.
pub fn command(words: &[&str]) -> Command {
    let mut command = Command::new(BPFTOOL);
    command.args(words);
    command
}

/// Runs the command and waits for its end.
pub fn call(command: &mut Command) -> Result<Output> {
    command
        .output()
        .with_context(|| format!("cannot run {BPFTOOL}"))
}

/// Returns what `bpftool prog tracelog` prints for a stream. bpftool copies each stream of the
/// program to its own stream of the same name; its other stream must stay empty.
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
        "`bpftool {}` failed ({}): {}{}",
        words.join(" "),
        output.status,
        String::from_utf8_lossy(&text),
        String::from_utf8_lossy(&other)
    );
    Ok(text)
}
