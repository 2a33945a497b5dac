// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Parsers of single lines. Each returns `None` if the line has another form.

use crate::{Access, Frame, Hex, Program, Source};

/// Maximum number of held locks that a report lists: the size of a CPU's table of held locks.
pub const LISTED_LOCKS: u32 = 31;

/// Lock functions that appear in reports.
const LOCK_FUNCTIONS: &[&str] = &["bpf_res_spin_lock", "bpf_res_spin_lock_irqsave"];

/// Contents of a line `ERROR: …`.
pub enum Head {
    MayGotoTimeout,
    ArenaFault { access: Access, address: Hex },
    LockDeadlock(&'static str),
    LockTimeout(&'static str),
}

/// Contents of a line `CPU: …`.
pub struct Where {
    pub cpu: u32,
    pub uid: u32,
    pub pid: u32,
    pub comm: String,
}

pub const ERROR: &str = "ERROR: ";
pub const CPU: &str = "CPU: ";
pub const CALL_TRACE: &str = "Call trace:";
/// Prefixes of the lines about locks.
pub const LOCK_LINES: &[&str] = &["Attempted lock ", "Total held locks ", "Held lock["];
/// Suffix of a line about suppressed reports.
pub const SUPPRESSED: &str = " further reports were suppressed";

pub fn head(line: &str) -> Option<Head> {
    let what = line.strip_prefix(ERROR)?;
    if what == "Timeout detected for may_goto instruction" {
        return Some(Head::MayGotoTimeout);
    }
    if let Some(function) = what.strip_prefix("AA or ABBA deadlock detected for ") {
        return lock_function(function).map(Head::LockDeadlock);
    }
    if let Some(function) = what.strip_prefix("Timeout detected for ") {
        return lock_function(function).map(Head::LockTimeout);
    }
    let (access, at) = what.strip_prefix("Arena ")?.split_once(' ')?;
    let address = prefixed_hex(at.strip_prefix("access at unmapped address ")?)?;
    let access = match access {
        "READ" => Access::Read,
        "WRITE" => Access::Write,
        _ => return None,
    };
    Some(Head::ArenaFault { access, address })
}

fn lock_function(name: &str) -> Option<&'static str> {
    LOCK_FUNCTIONS.iter().copied().find(|known| *known == name)
}

pub fn place(line: &str) -> Option<Where> {
    let (cpu, rest) = line.strip_prefix(CPU)?.split_once(" UID: ")?;
    let (uid, rest) = rest.split_once(" PID: ")?;
    let (pid, comm) = rest.split_once(" Comm: ")?;
    Some(Where {
        cpu: decimal(cpu)?,
        uid: decimal(uid)?,
        pid: decimal(pid)?,
        comm: comm.to_owned(),
    })
}

pub fn attempted(line: &str) -> Option<Hex> {
    prefixed_hex(line.strip_prefix("Attempted lock   = ")?)
}

pub fn total(line: &str) -> Option<u32> {
    decimal(line.strip_prefix("Total held locks = ")?)
}

/// The held lock with this number.
pub fn held(line: &str, number: u32) -> Option<Hex> {
    prefixed_hex(line.strip_prefix(&format!("Held lock[{number:2}] = "))?)
}

pub fn suppressed(line: &str) -> Option<u64> {
    let count = line.strip_prefix("... ")?.strip_suffix(SUPPRESSED)?;
    decimal(count).filter(|count| *count > 0)
}

/// A frame of the stack. Its source is in the next line.
pub fn frame(line: &str) -> Option<Frame> {
    let (call, module) = match line.strip_suffix(']') {
        Some(line) => {
            let (call, module) = line.split_once(" [")?;
            (
                call,
                Some(module).filter(|name| is_word(name))?.to_owned().into(),
            )
        }
        None => (line, None),
    };
    let (symbol, extent) = call.rsplit_once('+')?;
    let (offset, size) = extent.split_once('/')?;
    Some(Frame {
        symbol: Some(symbol).filter(|name| is_symbol(name))?.to_owned(),
        offset: prefixed_hex(offset)?,
        size: prefixed_hex(size)?,
        module,
        program: program(symbol),
        source: None,
    })
}

/// `bpf_prog_<tag>_<name>`
fn program(symbol: &str) -> Option<Program> {
    const TAG: usize = 16;
    let rest = symbol.strip_prefix("bpf_prog_")?;
    let tag = rest.get(..TAG).filter(|tag| tag.bytes().all(is_hex))?;
    let name = match &rest[TAG..] {
        "" => "",
        rest => rest.strip_prefix('_')?,
    };
    Some(Program {
        tag: tag.to_owned(),
        name: name.to_owned(),
    })
}

pub fn source(line: &str) -> Option<Source> {
    // the last ` @ `, as the source line may contain one; the text may be empty
    let (text, place) = line.strip_prefix("  ")?.rsplit_once(" @ ")?;
    let (file, number) = place.rsplit_once(':')?;
    let whole = !text.starts_with([' ', '\t']) && !file.is_empty() && !file.contains('/');
    Some(Source {
        text: whole.then(|| text.to_owned())?,
        file: file.to_owned(),
        line: decimal(number).filter(|line| *line > 0)?,
    })
}

/// Whether a report begins within this line, after other text.
pub fn report_behind_text(line: &str) -> bool {
    let begins = |mark: &str, is: fn(&str) -> bool| {
        line.match_indices(mark)
            .any(|(at, _)| at > 0 && is(&line[at..]))
    };
    begins(ERROR, |rest| head(rest).is_some())
        || begins(CPU, |rest| place(rest).is_some())
        || begins("... ", |rest| suppressed(rest).is_some())
}

/// A number as the kernel prints it: only digits, without leading zeros.
fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok())?
}

/// `0x` and up to 16 lowercase hexadecimal digits.
fn prefixed_hex(text: &str) -> Option<Hex> {
    let digits = text.strip_prefix("0x")?;
    let plain = !digits.is_empty() && digits.bytes().all(is_hex);
    plain.then(|| u64::from_str_radix(digits, 16).ok().map(Hex))?
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn is_symbol(name: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(first)
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.$".contains(&byte))
}

fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
