// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Parses the kernel's reports in a program's stderr.
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
//! A report without a head is a stack dump that the program requested. Text that the program
//! printed itself is skipped, unless it looks like a part of a report: a report that is incomplete,
//! torn, interleaved with another or misspelled is a [`ParseError`].
//!
//! This is a crate of its own because the guest uses the same grammar to check reports that are too
//! many for a snapshot.

use serde::Serialize;

mod error;
mod line;
mod parse;

pub use error::{ErrorKind, ParseError};
pub use parse::{parse, parse_with};

/// A part of a stderr that the kernel wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Item {
    /// A report, or a stack dump that the program requested.
    KernelReport(Report),
    /// The line that replaces suppressed reports.
    ReportsSuppressed {
        /// Number of suppressed reports.
        count: u64,
    },
}

/// One report with its stack dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What is reported.
    #[serde(flatten)]
    pub kind: Kind,
    /// CPU on which it happened.
    pub cpu: u32,
    /// UID of the process.
    pub uid: u32,
    /// PID of the process.
    pub pid: u32,
    /// Name of the process.
    pub comm: String,
    /// The stack, innermost frame first.
    pub frames: Vec<Frame>,
}

impl Report {
    /// The innermost frame of a BPF program; every parsed report has one.
    #[must_use]
    pub fn program_frame(&self) -> Option<&Frame> {
        self.frames.iter().find(|frame| frame.program.is_some())
    }
}

/// What is reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A stack dump that the program requested.
    Stack,
    /// A loop ran for too long.
    MayGotoTimeout,
    /// Access to an unmapped page of an arena.
    ArenaFault {
        /// Load or store.
        access: Access,
        /// The address as seen from user space.
        address: Hex,
    },
    /// Acquiring the lock would deadlock.
    LockDeadlock(Lock),
    /// Acquiring the lock timed out.
    LockTimeout(Lock),
}

/// Kind of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// A load.
    Read,
    /// A store, or an atomic operation.
    Write,
}

/// The locks in a report about a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// The kfunc that was called.
    pub function: String,
    /// Address of the lock.
    pub attempted: Hex,
    /// Addresses of the locks that the CPU holds, as far as they are listed.
    pub held: Vec<Hex>,
    /// Number of locks that the CPU holds.
    pub total: u32,
}

/// A frame of a stack dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// Name of the function in kallsyms.
    pub symbol: String,
    /// Offset of the address in the function.
    pub offset: Hex,
    /// Size of the function.
    pub size: Hex,
    /// The function's module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The BPF program that the function belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// The source line, if the kernel has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// A BPF program, as named by a symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// The tag: a hash of the program's instructions.
    pub tag: String,
    /// Name of the program or subprogram; may be empty.
    pub name: String,
}

/// A source line of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The line without leading blanks.
    pub text: String,
    /// Name of the file without its directory.
    pub file: String,
    /// Number of the line.
    pub line: u32,
}

/// A number that is printed as `0x…`, in JSON too: many values exceed JavaScript's numbers.
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
