// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The way through the lines of a stream.

use crate::broken::{Broken, Why};
use crate::line::{self, Head};
use crate::{Frame, Item, Kind, Lock, Report};

/// What the kernel wrote into a stderr, in the order in which it stands there.
///
/// # Errors
///
/// Where something of the kernel's is there that cannot be understood as a whole.
pub fn parse(stderr: &[u8]) -> Result<Vec<Item>, Broken> {
    parse_with(stderr, |_| ())
}

/// The same; the lines that the program printed itself, which may lack the last newline, go to `own`.
///
/// # Errors
///
/// As above.
pub fn parse_with(stderr: &[u8], mut own: impl FnMut(&str)) -> Result<Vec<Item>, Broken> {
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

/// A line and where it stands.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
    /// It has its newline.
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

    /// The line of a report, which has to be there to its end.
    fn whole(self) -> Result<Line<'a>, Broken> {
        match self.ended {
            true => Ok(self),
            false => Err(self.broken(Why::Cut("the end of the line"))),
        }
    }

    fn broken(self, why: Why) -> Broken {
        Broken {
            number: self.number,
            line: self.text.to_owned(),
            why,
        }
    }
}

/// What a line outside of a report begins, if that is something of the kernel's.
fn item<'a>(first: Line<'a>, lines: &mut Lines<'a>) -> Result<Option<Item>, Broken> {
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
            None if line::report_behind_text(text) => Err(first.broken(Why::MidLine)),
            None => Err(first.broken(Why::NoHead)),
        };
    }
    if line::report_behind_text(text) {
        return Err(first.broken(Why::MidLine));
    }
    if is_stray(text) {
        return Err(first.broken(Why::Stray));
    }
    Ok(None)
}

/// Whether it is the line of a report that is not there.
fn is_stray(text: &str) -> bool {
    text == line::CALL_TRACE
        || line::LOCK_LINES.iter().any(|start| text.starts_with(start))
        || line::frame(text).is_some()
}

/// A report from its first line to the empty one.
fn report<'a>(first: Line<'a>, lines: &mut Lines<'a>) -> Result<Report, Broken> {
    let head = line::head(first.text).ok_or_else(|| first.broken(Why::NoHead))?;
    first.whole()?;
    let kind = match head {
        Head::MayGotoTimeout => Kind::MayGotoTimeout,
        Head::ArenaFault { access, address } => Kind::ArenaFault { access, address },
        Head::LockDeadlock(function) => Kind::LockDeadlock(lock(function, lines)?),
        Head::LockTimeout(function) => Kind::LockTimeout(lock(function, lines)?),
    };
    let place = lines.expect("the line `CPU: …`")?;
    if !place.text.starts_with(line::CPU) {
        return Err(place.broken(Why::Expected("the line `CPU: …`")));
    }
    dump(place, lines, kind)
}

fn lock(function: &str, lines: &mut Lines<'_>) -> Result<Lock, Broken> {
    let attempted = lines.read("the line `Attempted lock   = 0x…`", line::attempted)?;
    let said = lines.expect("the line `Total held locks = …`")?;
    let total = line::total(said.text)
        .ok_or_else(|| said.broken(Why::Expected("the line `Total held locks = …`")))?;
    let mut held = Vec::new();
    for number in 0..total.min(line::LISTED_LOCKS) {
        let next = lines.expect("a line `Held lock[…] = 0x…`")?;
        held.push(line::held(next.text, number).ok_or_else(|| next.broken(Why::Count))?);
    }
    Ok(Lock {
        function: function.to_owned(),
        attempted,
        held,
        total,
    })
}

/// A stack dump from its line `CPU: …` to the empty one.
fn dump<'a>(first: Line<'a>, lines: &mut Lines<'a>, kind: Kind) -> Result<Report, Broken> {
    let place = line::place(first.text).ok_or_else(|| first.broken(Why::NoHead))?;
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
                None => Err(next.broken(Why::NoProgram)),
            };
        }
        report.frames.push(frame(next, lines)?);
    }
}

/// A frame, with its source where it is a program's and the kernel knew it.
fn frame<'a>(first: Line<'a>, lines: &mut Lines<'a>) -> Result<Frame, Broken> {
    let mut frame = line::frame(first.text)
        .ok_or_else(|| first.broken(Why::Expected("a frame of the stack or an empty line")))?;
    if frame.program.is_some()
        && let Some(next) = lines.next_if(|next: Line| next.text.starts_with("  "))
    {
        next.whole()?;
        let source = line::source(next.text);
        frame.source = Some(
            source
                .ok_or_else(|| next.broken(Why::Expected("`  <source line> @ <file>:<line>`")))?,
        );
    }
    Ok(frame)
}

/// The lines of a text, one after the other.
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

    /// The next line of a report that has begun, which must not end here.
    fn expect(&mut self, what: &'static str) -> Result<Line<'a>, Broken> {
        let before = self.all[self.next - 1];
        self.next()
            .ok_or_else(|| before.broken(Why::Cut(what)))?
            .whole()
    }

    /// The same, and what it says.
    fn read<T>(
        &mut self,
        what: &'static str,
        says: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Broken> {
        let line = self.expect(what)?;
        says(line.text).ok_or_else(|| line.broken(Why::Expected(what)))
    }
}
