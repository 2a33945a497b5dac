// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The kernel's own reports, parsed out of what a program's stderr gave.
//!
//! ```text
//! stderr     = ( text | report | suppressed )*
//! report     = [ head ] "CPU: <n> UID: <n> PID: <n> Comm: <name>\n" "Call trace:\n" frame+ "\n"
//! head       = "ERROR: Timeout detected for may_goto instruction\n"
//!            | "ERROR: Arena " ( "READ" | "WRITE" ) " access at unmapped address 0x<hex>\n"
//!            | "ERROR: " ( "AA or ABBA deadlock" | "Timeout" ) " detected for <lock function>\n" locks
//! locks      = "Attempted lock   = 0x<hex>\n" "Total held locks = <n>\n" ( "Held lock[<%2d>] = 0x<hex>\n" )*
//! frame      = <symbol> "+0x<hex>/0x<hex>" [ " [<module>]" ] "\n" [ "  <source line> @ <file>:<line>\n" ]
//! suppressed = "... <n> further reports were suppressed\n"
//! ```
//!
//! A report without a head is a stack dump that the program asked for. Text is what the program
//! printed itself; it is passed over. But nothing that looks like a part of a report is taken for
//! text: a report that is cut, torn, interleaved with another or wrong in a letter is [`Broken`].
//!
//! A crate of its own, so that the guest can check with the same grammar what is too much to be
//! shown.

use serde::Serialize;

mod broken;
mod line;
mod parse;

pub use broken::{Broken, Why};
pub use parse::{parse, parse_with};

/// What the kernel wrote into a stderr.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Item {
    /// A report, or a stack dump that was asked for.
    KernelReport(Report),
    /// The line that stands for reports that were only counted.
    ReportsSuppressed {
        /// How many.
        count: u64,
    },
}

/// One report with its stack dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What is reported.
    #[serde(flatten)]
    pub kind: Kind,
    /// Where it happened.
    pub cpu: u32,
    /// Whose process it was.
    pub uid: u32,
    /// Which process.
    pub pid: u32,
    /// Name of its command.
    pub comm: String,
    /// The stack, innermost first.
    pub frames: Vec<Frame>,
}

impl Report {
    /// The innermost frame of a BPF program; what was parsed has one.
    #[must_use]
    pub fn program_frame(&self) -> Option<&Frame> {
        self.frames.iter().find(|frame| frame.program.is_some())
    }
}

/// What is reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// Nothing: the program asked for the stack.
    Stack,
    /// A loop took too long.
    MayGotoTimeout,
    /// A page of an arena was touched that is not there.
    ArenaFault {
        /// How.
        access: Access,
        /// Where, as user space sees it.
        address: Hex,
    },
    /// A lock would never have been got.
    LockDeadlock(Lock),
    /// A lock was not got in time.
    LockTimeout(Lock),
}

/// How memory was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// A load.
    Read,
    /// A store, or an atomic operation.
    Write,
}

/// What is said of a lock that was not got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// The kfunc that was called.
    pub function: String,
    /// The lock.
    pub attempted: Hex,
    /// The locks that the CPU holds, as far as they are listed.
    pub held: Vec<Hex>,
    /// How many it holds.
    pub total: u32,
}

/// A frame of a stack dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// The function, as the kernel's list of symbols calls it.
    pub symbol: String,
    /// How far into it.
    pub offset: Hex,
    /// How long it is.
    pub size: Hex,
    /// Its module, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Which BPF program's it is, where it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// Where in its source, where the kernel knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// What a symbol of a BPF program says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// The hash of its instructions.
    pub tag: String,
    /// Its name, or its subprogram's; empty where it has none.
    pub name: String,
}

/// A place in a program's source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The line as it is written, without the blanks in front.
    pub text: String,
    /// The file, without its folder.
    pub file: String,
    /// The line's number.
    pub line: u32,
}

/// A number that is written `0x…`, in JSON as well: many do not fit a number of JavaScript's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Hex(pub u64);

impl From<Hex> for String {
    fn from(Hex(number): Hex) -> String {
        format!("{number:#x}")
    }
}

#[cfg(test)]
mod tests;
