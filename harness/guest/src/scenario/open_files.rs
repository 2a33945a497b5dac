// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The limit of open files.

use std::io;
use std::mem;

use anyhow::{Result, ensure};

/// A changed limit of open files. Dropping it restores the limit.
pub struct OpenFiles(libc::rlimit);

impl OpenFiles {
    /// Allows at least this many.
    pub fn allow(count: libc::rlim_t) -> Result<OpenFiles> {
        let before = get()?;
        set(&libc::rlimit {
            rlim_cur: before.rlim_cur.max(count),
            rlim_max: before.rlim_max.max(count),
        })?;
        Ok(OpenFiles(before))
    }

    /// Allows no more: a new fd would have to be less than 0.
    pub fn allow_none() -> Result<OpenFiles> {
        let before = get()?;
        set(&libc::rlimit {
            rlim_cur: 0,
            rlim_max: before.rlim_max,
        })?;
        Ok(OpenFiles(before))
    }
}

impl Drop for OpenFiles {
    fn drop(&mut self) {
        if let Err(error) = set(&self.0) {
            // later tests may run out of files: report it on the console
            eprintln!("bpf-streams-guest: cannot restore the limit of open files: {error}");
        }
    }
}

fn get() -> Result<libc::rlimit> {
    // SAFETY: two numbers; zeros are valid values.
    let mut limit: libc::rlimit = unsafe { mem::zeroed() };
    // SAFETY: valid for writes.
    let ret = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    ensure!(ret == 0, "getrlimit: {}", io::Error::last_os_error());
    Ok(limit)
}

fn set(limit: &libc::rlimit) -> Result<()> {
    // SAFETY: valid for reads.
    let ret = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const *limit) };
    ensure!(ret == 0, "setrlimit: {}", io::Error::last_os_error());
    Ok(())
}
