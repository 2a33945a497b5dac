// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Waits for events of a file by `poll()` and epoll.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Text, or the end of the file.
pub const IN: u32 = libc::EPOLLIN as u32;
/// The program has been freed. Reported whether it is requested or not.
pub const HUP: u32 = libc::EPOLLHUP as u32;
/// Edge-triggered: one event per change.
pub const EDGE: u32 = libc::EPOLLET as u32;

/// The events by name.
const NAMES: &[(u32, &str)] = &[
    (libc::EPOLLIN as u32, "EPOLLIN"),
    (libc::EPOLLRDNORM as u32, "EPOLLRDNORM"),
    (libc::EPOLLRDBAND as u32, "EPOLLRDBAND"),
    (libc::EPOLLPRI as u32, "EPOLLPRI"),
    (libc::EPOLLOUT as u32, "EPOLLOUT"),
    (libc::EPOLLWRNORM as u32, "EPOLLWRNORM"),
    (libc::EPOLLERR as u32, "EPOLLERR"),
    (libc::EPOLLHUP as u32, "EPOLLHUP"),
    (libc::EPOLLRDHUP as u32, "EPOLLRDHUP"),
];

/// All events that have names.
pub const ALL: u32 = {
    let (mut all, mut index) = (0, 0);
    while index < NAMES.len() {
        all |= NAMES[index].0;
        index += 1;
    }
    all
};

/// `EPOLLIN EPOLLHUP`, or `nothing`.
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
pub fn now(fd: BorrowedFd<'_>) -> io::Result<u32> {
    wait(fd, ALL, Duration::ZERO)
}

/// What `poll()` returns within `timeout` when these events are requested; 0 after the timeout.
pub fn wait(fd: BorrowedFd<'_>, events: u32, timeout: Duration) -> io::Result<u32> {
    let mut asked = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: events as i16,
        revents: 0,
    };
    loop {
        // SAFETY: one element, valid for reads and writes.
        let ret = unsafe { libc::poll(&raw mut asked, 1, millis(timeout)) };
        if ret >= 0 {
            return Ok(u32::from(asked.revents as u16));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Rounded up: a timeout of 0 ms would not wait at all.
fn millis(timeout: Duration) -> libc::c_int {
    libc::c_int::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX)
}

/// An epoll that watches one file.
#[derive(Debug)]
pub struct Waiter(OwnedFd);

impl Waiter {
    /// Registers for these events. Fails with `EPERM` for a file that does not support poll, such
    /// as a program.
    pub fn new(fd: BorrowedFd<'_>, events: u32) -> io::Result<Waiter> {
        // SAFETY: takes and returns numbers only.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new fd that nothing else owns.
        let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
        let mut event = libc::epoll_event { events, u64: 0 };
        // SAFETY: the event is valid for reads.
        let ret = unsafe {
            libc::epoll_ctl(
                epoll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                fd.as_raw_fd(),
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
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        loop {
            // SAFETY: the buffer has room for one event.
            let ret =
                unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, millis(timeout)) };
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

/// For an epoll that watches another one.
impl AsFd for Waiter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_names() {
        assert_eq!(describe(IN | HUP), "EPOLLIN EPOLLHUP");
        assert_eq!(describe(0), "nothing");
    }

    #[test]
    fn a_pipe_is_readable_once_written_to_and_hung_up_once_closed() {
        use std::io::Write;
        let (reader, mut writer) = io::pipe().unwrap();
        assert_eq!(wait(reader.as_fd(), IN, Duration::ZERO).unwrap(), 0);
        let waiter = Waiter::new(reader.as_fd(), IN).unwrap();
        writer.write_all(b"x").unwrap();
        assert_eq!(wait(reader.as_fd(), IN, Duration::ZERO).unwrap(), IN);
        assert_eq!(waiter.wait(Duration::ZERO).unwrap(), IN);
        drop(writer);
        assert_eq!(wait(reader.as_fd(), 0, Duration::ZERO).unwrap(), HUP);
    }
}
