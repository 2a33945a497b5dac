// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What happens while a guest runs, put together into its record.

use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context as _, Result};
use wire::{FromGuest, FromHost, Request};

use super::channel::{Lines, MOST_BYTES};
use super::events::{Event, Port};
use super::qmp::{self, Said};
use super::timeouts::{Clock, Timeouts};
use super::{HowEnded, RawLine};

/// Called with each line of the guest that could be understood, as it comes.
pub type Listener<'a> = dyn FnMut(&FromGuest) + 'a;

/// A run that is going on.
pub struct Session<'a> {
    clock: Clock,
    listener: &'a mut Listener<'a>,
    channel: Lines,
    monitor: Lines,
    to_guest: Option<UnixStream>,
    to_qemu: Option<UnixStream>,
    closed: Vec<Port>,
    status: Option<ExitStatus>,
    shutdown: Option<String>,
    /// Why the guest has to be killed.
    stopped: Option<HowEnded>,
    raw: Log,
    console: Log,
    recorded: Recorded,
}

/// What is left of a session when it is over.
#[derive(Default)]
pub struct Recorded {
    /// The lines of the guest.
    pub lines: Vec<RawLine>,
    /// Its console.
    pub console: Vec<u8>,
    /// Version of QEMU.
    pub qemu_version: String,
    /// When the first line came.
    pub boot: Option<Duration>,
}

impl<'a> Session<'a> {
    /// Begins; what comes is also written to files in `folder`, as it comes.
    pub fn begin(
        timeouts: Timeouts,
        folder: &Path,
        listener: &'a mut Listener<'a>,
    ) -> Result<Session<'a>> {
        Ok(Session {
            clock: Clock::start(timeouts),
            listener,
            channel: Lines::default(),
            monitor: Lines::default(),
            to_guest: None,
            to_qemu: None,
            closed: Vec::new(),
            status: None,
            shutdown: None,
            stopped: None,
            raw: Log::create(folder.join("channel.raw"))?,
            console: Log::create(folder.join("console.log"))?,
            recorded: Recorded::default(),
        })
    }

    /// How long to wait for the next event.
    pub fn left(&self) -> Duration {
        /// What was killed is gone within this, and its last bytes are here.
        const GRACE: Duration = Duration::from_secs(10);
        if self.stopped.is_some() || self.status.is_some() {
            GRACE
        } else {
            self.clock.left()
        }
    }

    /// Takes an event in.
    pub fn take(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Connected(Port::Channel, stream) => self.to_guest = Some(stream),
            // a QEMU that is gone already is told by what it left
            Event::Connected(_, mut stream) => {
                self.to_qemu = qmp::begin(&mut stream).ok().map(|()| stream);
            }
            Event::Bytes(Port::Console, bytes) => {
                self.console.write(&bytes)?;
                self.recorded.console.extend(bytes);
            }
            Event::Bytes(Port::Channel, bytes) => {
                self.raw.write(&bytes)?;
                for line in self.channel.push(&bytes) {
                    self.guest_said(line);
                }
            }
            Event::Bytes(Port::Qmp, bytes) => {
                for line in self.monitor.push(&bytes) {
                    self.qemu_said(&line);
                }
            }
            Event::Closed(port) => self.closed.push(port),
            Event::Exited(status) => self.status = Some(status),
        }
        if self.channel.is_flooded() && self.stopped.is_none() {
            self.stopped = Some(HowEnded::Flooded { bytes: MOST_BYTES });
        }
        Ok(())
    }

    /// Looks at the clock.
    pub fn check_time(&mut self) {
        if self.stopped.is_none()
            && self.status.is_none()
            && let Some((stage, after)) = self.clock.expired()
        {
            self.stopped = Some(HowEnded::TimedOut { stage, after });
        }
    }

    /// Whether nothing may run any more: the guest has to be stopped, or virtme-ng is over.
    pub fn must_end(&self) -> bool {
        self.stopped.is_some() || self.status.is_some()
    }

    /// Whether virtme-ng is over and all that was to come has come.
    pub fn is_over(&self) -> bool {
        self.status.is_some() && self.closed.len() == 3
    }

    /// Since the session began.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// How the guest ended, and what was recorded.
    pub fn finish(mut self) -> (HowEnded, Recorded) {
        self.recorded.lines.extend(self.channel.rest());
        let end = match (self.stopped, self.shutdown.as_deref()) {
            (Some(stopped), _) => stopped,
            (None, Some("guest-shutdown")) => HowEnded::PoweredOff,
            (None, Some("guest-reset" | "guest-panic")) => HowEnded::Reset,
            // a signal to QEMU gives a reason too
            (None, _) => HowEnded::QemuGone {
                status: self.status.unwrap_or_default(),
            },
        };
        (end, self.recorded)
    }

    fn guest_said(&mut self, line: RawLine) {
        if self.recorded.boot.is_none() {
            self.recorded.boot = Some(self.clock.elapsed());
        }
        // what cannot be understood is recorded; whether it may be there is for the verdict to say
        if let Ok(message) = serde_json::from_slice(&line.0) {
            self.clock.line(&message);
            (self.listener)(&message);
            if let FromGuest::Request { request } = message {
                self.carry_out(request);
            }
        }
        self.recorded.lines.push(line);
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

    fn qemu_said(&mut self, line: &RawLine) {
        match qmp::understand(&line.0) {
            Said::Version(version) => self.recorded.qemu_version = version,
            Said::Shutdown(reason) => self.shutdown = Some(reason),
            Said::Injected => self.answer(&FromHost::Done),
            Said::Refused(reason) => self.answer(&FromHost::Refused { reason }),
            Said::Other => {}
        }
    }

    /// Answers the guest. One that is gone meanwhile needs no answer, and its end is seen elsewhere.
    fn answer(&mut self, answer: &FromHost) {
        if let Some(guest) = &mut self.to_guest
            && let Ok(mut line) = serde_json::to_vec(answer)
        {
            line.push(b'\n');
            let _ = guest.write_all(&line);
        }
    }
}

/// A file that is written as the bytes come, so that it is there even when the harness dies.
struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    fn create(path: PathBuf) -> Result<Log> {
        let file = File::create(&path)?;
        Ok(Log { path, file })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}
