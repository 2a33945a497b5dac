// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Errors of the parser.

use std::error::Error;
use std::fmt;

/// A report that cannot be parsed: the line and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Number of the line in the stream, from 1.
    pub number: usize,
    /// The line; empty at the end of the stream.
    pub line: String,
    /// What is wrong with the line.
    pub kind: ErrorKind,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Another line or frame is expected in its place.
    Expected(&'static str),
    /// The stream or the line ends where this is expected.
    Cut(&'static str),
    /// The line begins like the first line of a report, but is not one.
    NoHead,
    /// The line is a part of a report, but no report has begun.
    Stray,
    /// A report begins after other text in the line.
    MidLine,
    /// The stack dump that ends before this line has no frame of a BPF program.
    NoProgram,
    /// The number of listed locks differs from the number of held locks.
    Count,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.escape_debug();
        write!(f, "line {}: ", self.number)?;
        match self.kind {
            ErrorKind::Expected(what) => {
                write!(f, "found `{line}` in a report where {what} is expected")
            }
            ErrorKind::Cut(what) => write!(
                f,
                "the report is cut off: {what} is missing behind `{line}`"
            ),
            ErrorKind::NoHead => write!(f, "`{line}` is not the first line of a known report"),
            ErrorKind::Stray => {
                write!(f, "`{line}` is a part of a report, but no report has begun")
            }
            ErrorKind::MidLine => write!(f, "`{line}`: a report begins in the middle of a line"),
            ErrorKind::NoProgram => write!(
                f,
                "the stack dump that ends here has no frame of a BPF program"
            ),
            ErrorKind::Count => write!(
                f,
                "`{line}`: the number of listed locks differs from the number of held locks"
            ),
        }
    }
}

impl Error for ParseError {}
