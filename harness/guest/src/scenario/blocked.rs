// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Threads that sleep in a system call until something wakes them.

use std::cell::Cell;
use std::fs;
use std::io;
use std::mem;
use std::ptr;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::settings;

/// Time limit for a thread to fall asleep, and for a wake-up.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Ends the call with `EINTR`.
pub const INTERRUPT: libc::c_int = libc::SIGUSR1;

/// The call continues after the handler.
pub const RESTART: libc::c_int = libc::SIGUSR2;

/// A thread in a system call. The thread ends when the call returns; dropping this interrupts a
/// call that has not returned.
pub struct Blocked<T> {
    thread: libc::pid_t,
    result: Receiver<T>,
    has_ended: Cell<bool>,
}

impl<T> Blocked<T> {
    /// Starts the thread, and waits until it sleeps in `call`.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        call: impl FnOnce() -> T + Send + 'scope,
    ) -> Result<Blocked<T>>
    where
        T: Send + 'scope,
    {
        let blocked = Blocked::start_running(scope, call)?;
        blocked.wait_until_asleep()?;
        Ok(blocked)
    }

    /// Starts the thread for a call that should not sleep.
    pub fn start_running<'scope>(
        scope: &'scope Scope<'scope, '_>,
        call: impl FnOnce() -> T + Send + 'scope,
    ) -> Result<Blocked<T>>
    where
        T: Send + 'scope,
    {
        handle(INTERRUPT, 0)?;
        handle(RESTART, libc::SA_RESTART)?;
        let (id, thread) = mpsc::channel();
        let (sender, result) = mpsc::channel();
        scope.spawn(move || {
            // nobody receives if the test has failed meanwhile
            // SAFETY: takes nothing and returns a number.
            let _ = id.send(unsafe { libc::gettid() });
            let _ = sender.send(call());
        });
        let thread = thread.recv().context("the thread has ended")?;
        Ok(Blocked {
            thread,
            result,
            has_ended: Cell::new(false),
        })
    }

    /// Whether the call has not returned yet.
    pub fn is_blocked(&self) -> Result<bool> {
        is_asleep(self.thread)
    }

    /// Waits until the thread sleeps.
    pub fn wait_until_asleep(&self) -> Result<()> {
        let begun = Instant::now();
        while !is_asleep(self.thread)? {
            ensure!(
                begun.elapsed() < settings::scaled(TIMEOUT),
                "the thread does not sleep"
            );
            thread::yield_now();
        }
        Ok(())
    }

    /// Sends a signal to the thread.
    pub fn signal(&self, signal: libc::c_int) -> Result<()> {
        // SAFETY: takes numbers only.
        let ret = unsafe {
            libc::syscall(
                libc::SYS_tgkill,
                libc::getpid(),
                self.thread,
                libc::c_long::from(signal),
            )
        };
        ensure!(
            ret == 0,
            "cannot send signal {signal} to a thread: {}",
            io::Error::last_os_error()
        );
        Ok(())
    }

    /// What the call returned. A call that does not return is an error.
    pub fn result(&self, expected: &str) -> Result<T> {
        let timeout = settings::scaled(TIMEOUT);
        match self.result.recv_timeout(timeout) {
            Ok(result) => {
                self.has_ended.set(true);
                Ok(result)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!("a thread panicked"),
            Err(mpsc::RecvTimeoutError::Timeout) => bail!(
                "a wake-up was lost: nothing happened within {} s; expected: {expected}",
                timeout.as_secs()
            ),
        }
    }
}

impl<T> Drop for Blocked<T> {
    fn drop(&mut self) {
        if !self.has_ended.get() {
            // the thread may have ended by itself
            let _ = self.signal(INTERRUPT);
        }
    }
}

/// Takes the first result of a call out of `calls`, and what it returned.
pub fn first_result<T>(calls: &mut Vec<Blocked<T>>, expected: &str) -> Result<T> {
    let begun = Instant::now();
    while begun.elapsed() < settings::scaled(TIMEOUT) {
        let done = calls
            .iter()
            .enumerate()
            .find_map(|(index, call)| Some((index, call.result.try_recv().ok()?)));
        if let Some((index, result)) = done {
            calls.remove(index).has_ended.set(true);
            return Ok(result);
        }
        thread::yield_now();
    }
    bail!("a wake-up was lost; expected: {expected}")
}

/// The state in `/proc`; a thread that has ended has none.
fn is_asleep(thread: libc::pid_t) -> Result<bool> {
    let file = format!("/proc/self/task/{thread}/stat");
    let stat = match fs::read_to_string(&file) {
        Ok(stat) => stat,
        Err(error) if ended(&error) => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("cannot read {file}")),
    };
    // the state is the field after the name, which is in parentheses
    Ok(stat
        .rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('S')))
}

fn ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// Installs a handler that does nothing.
fn handle(signal: libc::c_int, flags: libc::c_int) -> Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: zeros are valid values.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
    action.sa_flags = flags;
    // SAFETY: the action is valid for reads, and its handler can run at any time.
    let ret = unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    ensure!(ret == 0, "sigaction: {}", io::Error::last_os_error());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn a_thread_is_interrupted_restarted_and_woken() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        thread::scope(|scope| {
            let mut again = reader.try_clone().unwrap();
            let blocked = Blocked::start(scope, move || again.read(&mut [0; 8])).unwrap();
            blocked.signal(INTERRUPT).unwrap();
            let error = blocked.result("EINTR").unwrap().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Interrupted);

            let blocked = Blocked::start(scope, move || reader.read(&mut [0; 8])).unwrap();
            blocked.signal(RESTART).unwrap();
            blocked.wait_until_asleep().unwrap();
            assert!(blocked.is_blocked().unwrap());
            writer.write_all(b"text").unwrap();
            assert_eq!(blocked.result("text").unwrap().unwrap(), 4);
        });
    }
}
