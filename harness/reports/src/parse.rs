// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Parser of the lines of a stream.

use crate::error::{ErrorKind, ParseError};
use crate::line::{self, Head};
use crate::{Frame, Item, Kind, Lock, Report};

/// Parses what the kernel wrote to a stderr, in order.
///
/// # Errors
///
/// If a part of a report is incomplete or out of place.
pub fn parse(stderr: &[u8]) -> Result<Vec<Item>, ParseError> {
    parse_with(stderr, |_| ())
}

/// As [`parse`]; passes the lines that the program printed itself to `own`. The last one may lack
/// its newline.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_with(stderr: &[u8], mut own: impl FnMut(&str)) -> Result<Vec<Item>, ParseError> {
    let text = String::from_utf8_lossy(stderr);
    let mut lines = Lines::of(&text);
    let mut items = Vec::new();
    while let Some(line) = lines.next() {
        match item(line, &mut lines)? {
            Some(item) => items.push(item),
            None => own(line.text),
        }
    }
    Ok(items)
}

/// A line and its number.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
    /// Whether the line ends with a newline.
    ended: bool,
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Line<'a> {
        let text = line.strip_suffix('\n');
        Line {
            number: 0,
            text: text.unwrap_or(line),
            ended: text.is_some(),
        }
    }

    /// Returns the line, which must end with a newline.
    fn whole(self) -> Result<Line<'a>, ParseError> {
        match self.ended {
            true => Ok(self),
            false => Err(self.error(ErrorKind::Cut("the end of the line"))),
        }
    }

    fn error(self, kind: ErrorKind) -> ParseError {
        ParseError {
            number: self.number,
            line: self.text.to_owned(),
            kind,
        }
    }
}

/// Parses the item that begins with this line; `None` for text of the program.
fn item<'a>(first: Line<'a>, lines: &mut Lines<'a>) -> Result<Option<Item>, ParseError> {
    let text = first.text;
    if text.starts_with(line::ERROR) {
        return report(first, lines).map(|report| Some(Item::KernelReport(report)));
    }
    if text.starts_with(line::CPU) {
        return dump(first, lines, Kind::Stack).map(|report| Some(Item::KernelReport(report)));
    }
    if text.ends_with(line::SUPPRESSED) {
        let count = line::suppressed(text).filter(|_| first.ended);
        return match count {
            Some(count) => Ok(Some(Item::ReportsSuppressed { count })),
            None if line::report_behind_text(text) => Err(first.error(ErrorKind::MidLine)),
            None => Err(first.error(ErrorKind::NoHead)),
        };
    }
    if line::report_behind_text(text) {
        return Err(first.error(ErrorKind::MidLine));
    }
    if is_stray(text) {
        return Err(first.error(ErrorKind::Stray));
    }
    Ok(None)
}

/// Whether the line can only be a part of a report.
fn is_stray(text: &str) -> bool {
    text == line::CALL_TRACE
        || line::LOCK_LINES.iter().any(|start| text.starts_with(start))
        || line::frame(text).is_some()
}

/// A report, from its first line to the empty line.
fn report<'a>(first: Line<'a>, lines: &mut Lines<'a>) -> Result<Report, ParseError> {
    let head = line::head(first.text).ok_or_else(|| first.error(ErrorKind::NoHead))?;
    first.whole()?;
    let kind = match head {
        Head::MayGotoTimeout => Kind::MayGotoTimeout,
        Head::ArenaFault { access, address } => Kind::ArenaFault { access, address },
        Head::LockDeadlock(function) => Kind::LockDeadlock(lock(function, lines)?),
        Head::LockTimeout(function) => Kind::LockTimeout(lock(function, lines)?),
    };
    let place = lines.expect("the line `CPU: …`")?;
    if !place.text.starts_with(line::CPU) {
        return Err(place.error(ErrorKind::Expected("the line `CPU: …`")));
    }
    dump(place, lines, kind)
}

fn lock(function: &str, lines: &mut Lines<'_>) -> Result<Lock, ParseError> {
    let attempted = lines.read("the line `Attempted lock   = 0x…`", line::attempted)?;
    let total = lines.expect("the line `Total held locks = …`")?;
    let total = line::total(total.text)
        .ok_or_else(|| total.error(ErrorKind::Expected("the line `Total held locks = …`")))?;
    let mut held = Vec::new();
    for number in 0..total.min(line::LISTED_LOCKS) {
        let next = lines.expect("a line `Held lock[…] = 0x…`")?;
        held.push(line::held(next.text, number).ok_or_else(|| next.error(ErrorKind::Count))?);
    }
    Ok(Lock {
        function: function.to_owned(),
        attempted,
        held,
        total,
    })
}

/// A stack dump, from its line `CPU: …` to the empty line.
fn dump<'a>(first: Line<'a>, lines: &mut Lines<'a>, kind: Kind) -> Result<Report, ParseError> {
    let place = line::place(first.text).ok_or_else(|| first.error(ErrorKind::NoHead))?;
    first.whole()?;
    lines.read("the line `Call trace:`", |text| {
        (text == line::CALL_TRACE).then_some(())
    })?;
    let mut report = Report {
        kind,
        cpu: place.cpu,
        uid: place.uid,
        pid: place.pid,
        comm: place.comm,
        frames: Vec::new(),
    };
    loop {
        let next = lines.expect("the empty line at the end of the stack dump")?;
        if next.text.is_empty() {
            return match report.program_frame() {
                Some(_) => Ok(report),
                None => Err(next.error(ErrorKind::NoProgram)),
            };
        }
        report.frames.push(frame(next, lines)?);
    }
}

/// A frame, with its source if the kernel printed one.
fn frame<'a>(first: Line<'a>, lines: &mut Lines<'a>) -> Result<Frame, ParseError> {
    let mut frame = line::frame(first.text)
        .ok_or_else(|| first.error(ErrorKind::Expected("a frame of the stack or an empty line")))?;
    if frame.program.is_some()
        && let Some(next) = lines.next_if(|next: Line| next.text.starts_with("  "))
    {
        next.whole()?;
        let source = line::source(next.text);
        frame.source =
            Some(source.ok_or_else(|| {
                next.error(ErrorKind::Expected("`  <source line> @ <file>:<line>`"))
            })?);
    }
    Ok(frame)
}

/// The lines of a text.
struct Lines<'a> {
    all: Vec<Line<'a>>,
    next: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Lines<'a> {
        let lines = text.split_inclusive('\n').map(Line::of);
        let all = (1..)
            .zip(lines)
            .map(|(number, line)| Line { number, ..line })
            .collect();
        Lines { all, next: 0 }
    }

    fn next(&mut self) -> Option<Line<'a>> {
        let line = self.all.get(self.next).copied();
        self.next += usize::from(line.is_some());
        line
    }

    fn next_if(&mut self, is: impl FnOnce(Line<'a>) -> bool) -> Option<Line<'a>> {
        let line = self.all.get(self.next).copied().filter(|line| is(*line));
        self.next += usize::from(line.is_some());
        line
    }

    /// The next line of a report, which must not end here.
    fn expect(&mut self, what: &'static str) -> Result<Line<'a>, ParseError> {
        let before = self.all[self.next - 1];
        self.next()
            .ok_or_else(|| before.error(ErrorKind::Cut(what)))?
            .whole()
    }

    /// The next line, parsed by `read`.
    fn read<T>(
        &mut self,
        what: &'static str,
        says: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ParseError> {
        let line = self.expect(what)?;
        says(line.text).ok_or_else(|| line.error(ErrorKind::Expected(what)))
    }
}
