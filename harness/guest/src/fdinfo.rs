// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The counters of a program's streams in its fdinfo.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};

use anyhow::{Context, Result};

use crate::stream::Stream;

/// The counters by name: `stdout_pending_bytes`, `stderr_refused_full_msgs`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Reads the fdinfo of the program.
    pub fn of(program: BorrowedFd<'_>) -> Result<Counters> {
        let file = format!("/proc/self/fdinfo/{}", program.as_raw_fd());
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        parse(&text).with_context(|| format!("in {file}"))
    }

    /// All counters, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Refused messages of the stream, for any reason.
    pub fn refused_messages(&self, stream: Stream) -> u64 {
        self.refused(stream, "_msgs")
    }

    /// Refused bytes of the stream, for any reason.
    pub fn refused_bytes(&self, stream: Stream) -> u64 {
        self.refused(stream, "_bytes")
    }

    /// Unread bytes of the stream.
    pub fn pending(&self, stream: Stream) -> u64 {
        let name = format!("{stream}_pending_bytes");
        self.0.get(&name).copied().unwrap_or(0)
    }

    fn refused(&self, stream: Stream, unit: &str) -> u64 {
        let prefix = format!("{stream}_refused_");
        self.iter()
            .filter(|(name, _)| name.starts_with(&prefix) && name.ends_with(unit))
            .map(|(_, value)| value)
            .sum()
    }
}

fn parse(fdinfo: &str) -> Result<Counters> {
    let mut counters = BTreeMap::new();
    for line in fdinfo.lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.starts_with("stdout_") || name.starts_with("stderr_") {
            let value = value
                .trim()
                .parse()
                .with_context(|| format!("not a number: {line:?}"))?;
            counters.insert(name.to_owned(), value);
        }
    }
    Ok(Counters(counters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_parsed_and_added_up() {
        let counters = parse(
            "prog_id:\t7\nstdout_pending_bytes:\t5\nstdout_refused_full_msgs:\t2\n\
             stdout_refused_full_bytes:\t30\nstdout_refused_busy_msgs:\t1\n\
             stderr_refused_full_msgs:\t9\n",
        )
        .unwrap();
        assert_eq!(counters.pending(Stream::Stdout), 5);
        assert_eq!(counters.refused_messages(Stream::Stdout), 3);
        assert_eq!(counters.refused_bytes(Stream::Stdout), 30);
        assert_eq!(counters.refused_messages(Stream::Stderr), 9);
        assert!(parse("stdout_pending_bytes:\tmany\n").is_err());
    }
}
