// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What is wrong with a report that cannot be parsed.

use std::error::Error;
use std::fmt;

/// A report that is none: which line spoils it, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Number of the line in the stream, from 1.
    pub number: usize,
    /// The line as it came; empty where the stream ended instead.
    pub line: String,
    /// Why it is wrong there.
    pub why: Why,
}

/// Why a line is wrong where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It stands where this should stand.
    Expected(&'static str),
    /// The stream, or the line, ends before the report does, where this should stand.
    Cut(&'static str),
    /// It begins like the first line of a report and is none.
    NoHead,
    /// It is a part of a report, outside of any.
    Stray,
    /// A report begins behind other text.
    MidLine,
    /// The stack dump that ends before it shows no BPF program.
    NoProgram,
    /// Fewer or more locks are listed than are said to be held.
    Count,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.escape_debug();
        write!(f, "line {}: ", self.number)?;
        match self.why {
            Why::Expected(what) => write!(f, "`{line}` stands in a report where {what} belongs"),
            Why::Cut(what) => write!(
                f,
                "the report is cut off: {what} is missing behind `{line}`"
            ),
            Why::NoHead => write!(
                f,
                "`{line}` is not the first line of any report of the kernel's"
            ),
            Why::Stray => write!(
                f,
                "`{line}` is a part of a report and stands outside of any"
            ),
            Why::MidLine => write!(f, "`{line}`: a report begins in the middle of a line"),
            Why::NoProgram => write!(
                f,
                "the stack dump that ends here has no frame of a BPF program"
            ),
            Why::Count => write!(f, "`{line}`: not as many locks are listed as are held"),
        }
    }
}

impl Error for Broken {}
