// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Collects the events of a running guest into the record of the run.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::Result;
use fs_err::File;
use wire::{FromGuest, FromHost, Request};

use super::channel::{LineBuffer, MAX_BYTES};
use super::dispatch::{Next, Seat};
use super::events::{Port, VmEvent};
use super::qmp::{self, QmpMessage};
use super::timeouts::{Clock, Timeouts};
use super::{HowEnded, RawLine};

/// Called with each valid line of the guest as it arrives.
pub type Listener<'a> = dyn FnMut(&FromGuest) + 'a;

/// A run in progress.
pub struct Session<'a, 's> {
    clock: Clock,
    listener: &'a mut Listener<'a>,
    seat: Seat<'s>,
    /// Whether the guest's start line has the lists of the other guests.
    lists_differ: bool,
    /// The queue of this session's events.
    queue: Sender<VmEvent>,
    channel: LineBuffer,
    monitor: LineBuffer,
    to_guest: Option<UnixStream>,
    to_qemu: Option<UnixStream>,
    closed: Vec<Port>,
    status: Option<ExitStatus>,
    shutdown: Option<String>,
    /// Why the guest must be killed.
    stopped: Option<HowEnded>,
    raw: LogFile,
    console: LogFile,
    recorded: Recorded,
}

/// The recorded data of a session.
#[derive(Default)]
pub struct Recorded {
    /// The lines of the guest.
    pub lines: Vec<RawLine>,
    /// The tests that were handed to the guest, in order.
    pub handed: Vec<String>,
    /// Its console.
    pub console: Vec<u8>,
    /// Version of QEMU.
    pub qemu_version: String,
    /// Time of the first line.
    pub boot: Option<Duration>,
}

impl<'a, 's> Session<'a, 's> {
    /// Begins a session, which writes channel and console to files in `folder` as they arrive. `seat`
    /// names the tests, and `queue` brings the events of the session.
    pub fn begin(
        timeouts: Timeouts,
        folder: &Path,
        listener: &'a mut Listener<'a>,
        seat: Seat<'s>,
        queue: Sender<VmEvent>,
    ) -> Result<Session<'a, 's>> {
        Ok(Session {
            clock: Clock::start(timeouts),
            listener,
            seat,
            lists_differ: false,
            queue,
            channel: LineBuffer::default(),
            monitor: LineBuffer::default(),
            to_guest: None,
            to_qemu: None,
            closed: Vec::new(),
            status: None,
            shutdown: None,
            stopped: None,
            raw: LogFile::create(folder.join("channel.raw"))?,
            console: LogFile::create(folder.join("console.log"))?,
            recorded: Recorded::default(),
        })
    }

    /// How long to wait for the next event.
    pub fn left(&self) -> Duration {
        /// Time for a killed guest to exit and its last bytes to arrive.
        const GRACE: Duration = Duration::from_secs(10);
        if self.stopped.is_some() || self.status.is_some() {
            GRACE
        } else {
            self.clock.left()
        }
    }

    /// Handles an event.
    pub fn handle(&mut self, event: VmEvent) -> Result<()> {
        match event {
            VmEvent::Connected(Port::Channel, stream) => self.to_guest = Some(stream),
            // if QEMU has already exited, other events report that
            VmEvent::Connected(_, mut stream) => {
                self.to_qemu = qmp::begin(&mut stream).ok().map(|()| stream);
            }
            VmEvent::Bytes(Port::Console, bytes) => {
                self.console.write(&bytes)?;
                self.recorded.console.extend(bytes);
            }
            VmEvent::Bytes(Port::Channel, bytes) => {
                self.raw.write(&bytes)?;
                for line in self.channel.push(&bytes) {
                    self.handle_guest_line(line);
                }
            }
            VmEvent::Bytes(Port::Qmp, bytes) => {
                for line in self.monitor.push(&bytes) {
                    self.handle_qmp_line(&line);
                }
            }
            VmEvent::Closed(port) => self.closed.push(port),
            VmEvent::Exited(status) => self.status = Some(status),
            VmEvent::AskAgain => self.name_test(),
        }
        if self.channel.is_flooded() && self.stopped.is_none() {
            self.stopped = Some(HowEnded::Flooded { bytes: MAX_BYTES });
        }
        Ok(())
    }

    /// Stops the guest if it has exceeded a time limit.
    pub fn check_time(&mut self) {
        if self.stopped.is_none()
            && self.status.is_none()
            && let Some((stage, after)) = self.clock.expired()
        {
            self.stopped = Some(HowEnded::TimedOut { stage, after });
        }
    }

    /// Whether all processes must end: the guest was stopped, or virtme-ng has exited.
    pub fn must_end(&self) -> bool {
        self.stopped.is_some() || self.status.is_some()
    }

    /// Whether virtme-ng has exited and all ports are closed.
    pub fn is_over(&self) -> bool {
        self.status.is_some() && self.closed.len() == 3
    }

    /// Time since the beginning of the session.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// How the guest ended, and the recorded data.
    pub fn finish(mut self) -> (HowEnded, Recorded) {
        self.recorded.lines.extend(self.channel.rest());
        let end = match (self.stopped, self.shutdown.as_deref()) {
            (Some(stopped), _) => stopped,
            (None, Some("guest-shutdown")) => HowEnded::PoweredOff,
            (None, Some("guest-reset" | "guest-panic")) => HowEnded::Reset,
            // a QEMU that was killed by a signal has a reason as well
            (None, _) => HowEnded::QemuGone {
                status: self.status.unwrap_or_default(),
            },
        };
        (end, self.recorded)
    }

    fn handle_guest_line(&mut self, line: RawLine) {
        if self.recorded.boot.is_none() {
            self.recorded.boot = Some(self.clock.elapsed());
        }
        // an invalid line is recorded as well; the verdict reports it
        if let Ok(message) = serde_json::from_slice(&line.0) {
            self.clock.line(&message);
            (self.listener)(&message);
            self.respond(message);
        }
        self.recorded.lines.push(line);
    }

    fn respond(&mut self, message: FromGuest) {
        match message {
            FromGuest::Start { tests, alone, .. } => {
                self.lists_differ = !self.seat.announce(&tests, &alone);
                self.name_test();
            }
            FromGuest::Test(_) => self.name_test(),
            FromGuest::Request { request } => self.carry_out(request),
            FromGuest::TestStart { .. } | FromGuest::End { .. } => {}
        }
    }

    /// Names the next test to the guest, or stops its clock until there is an answer.
    fn name_test(&mut self) {
        let next = match self.lists_differ || self.must_end() {
            true => Next::Finish,
            false => self.seat.next(&self.queue),
        };
        match next {
            Next::Wait => self.clock.wait(),
            Next::Finish => {
                self.clock.answered();
                self.answer(&FromHost::Finish);
            }
            Next::Run(test) => {
                self.clock.answered();
                self.recorded.handed.push(test.clone());
                self.answer(&FromHost::Run { test });
            }
        }
    }

    fn carry_out(&mut self, request: Request) {
        let Request::Nmi = request;
        let sent = match &mut self.to_qemu {
            Some(monitor) => qmp::inject_nmi(monitor).map_err(|error| format!("{error:#}")),
            None => Err("QEMU has not connected its monitor".to_owned()),
        };
        if let Err(reason) = sent {
            self.answer(&FromHost::Refused { reason });
        }
    }

    fn handle_qmp_line(&mut self, line: &RawLine) {
        match qmp::parse(&line.0) {
            QmpMessage::Version(version) => self.recorded.qemu_version = version,
            QmpMessage::Shutdown(reason) => self.shutdown = Some(reason),
            QmpMessage::Injected => self.answer(&FromHost::Done),
            QmpMessage::Refused(reason) => self.answer(&FromHost::Refused { reason }),
            QmpMessage::Other => {}
        }
    }

    /// Answers the guest. Errors are ignored: if the guest has ended, other events report that.
    fn answer(&mut self, answer: &FromHost) {
        if let Some(guest) = &mut self.to_guest
            && let Ok(mut line) = serde_json::to_vec(answer)
        {
            line.push(b'\n');
            let _ = guest.write_all(&line);
        }
    }
}

/// A log file, written as bytes arrive, so that it exists even if the harness is killed.
struct LogFile(File);

impl LogFile {
    fn create(path: PathBuf) -> Result<LogFile> {
        Ok(LogFile(File::create(path)?))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.write_all(bytes)?)
    }
}
