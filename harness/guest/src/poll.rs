// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Waits for text in a program's streams by `poll()` and epoll.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Text in stdout.
pub const STDOUT: u32 = libc::EPOLLIN as u32;
/// Text in stderr.
pub const STDERR: u32 = libc::EPOLLPRI as u32;
/// Edge-triggered: one event per change.
pub const EDGE: u32 = libc::EPOLLET as u32;

/// The events by name, without those that a program's fd never reports.
const NAMES: &[(u32, &str)] = &[
    (libc::EPOLLIN as u32, "EPOLLIN"),
    (libc::EPOLLRDNORM as u32, "EPOLLRDNORM"),
    (libc::EPOLLPRI as u32, "EPOLLPRI"),
    (libc::EPOLLOUT as u32, "EPOLLOUT"),
    (libc::EPOLLERR as u32, "EPOLLERR"),
    (libc::EPOLLHUP as u32, "EPOLLHUP"),
];

/// `EPOLLIN EPOLLPRI`, or `nothing`.
pub fn describe(events: u32) -> String {
    let names: Vec<&str> = NAMES
        .iter()
        .filter(|(event, _)| events & event != 0)
        .map(|(_, name)| *name)
        .collect();
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(" ")
    }
}

/// What `poll()` returns at once when all events are requested.
pub fn now(program: BorrowedFd<'_>) -> io::Result<u32> {
    let mut asked = libc::pollfd {
        fd: program.as_raw_fd(),
        events: NAMES
            .iter()
            .fold(0, |all, (event, _)| all | (*event & 0x7fff) as i16),
        revents: 0,
    };
    // SAFETY: one element, valid for reads and writes.
    let ret = unsafe { libc::poll(&raw mut asked, 1, 0) };
    if ret < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u32::from(asked.revents as u16))
}

/// Waits for text of one program.
#[derive(Debug)]
pub struct Waiter(OwnedFd);

impl Waiter {
    /// Registers for these events. Fails with `EPERM` where programs do not support poll.
    pub fn new(program: BorrowedFd<'_>, events: u32) -> io::Result<Waiter> {
        // SAFETY: takes and returns numbers only.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new fd that nothing else owns.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        let mut event = libc::epoll_event { events, u64: 0 };
        // SAFETY: the event is valid for reads.
        let ret = unsafe {
            libc::epoll_ctl(
                epoll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                program.as_raw_fd(),
                &raw mut event,
            )
        };
        if ret < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Waiter(epoll))
    }

    /// The events that arrive within `timeout`; 0 if none does.
    pub fn wait(&self, timeout: Duration) -> io::Result<u32> {
        // rounded up: a timeout of 0 ms would not wait at all
        let millis = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        loop {
            // SAFETY: the buffer has room for one event.
            let ret = unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, millis) };
            match ret {
                0 => return Ok(0),
                1 => return Ok(event.events),
                _ => {}
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_names() {
        assert_eq!(describe(STDOUT | STDERR), "EPOLLIN EPOLLPRI");
        assert_eq!(describe(0), "nothing");
    }
}
