// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Drops capabilities, for a while or for good.

use std::io;

use anyhow::{Result, ensure};

/// For network configuration and programs that process packets.
pub const CAP_NET_ADMIN: u32 = 12;
/// For loading programs and creating maps.
pub const CAP_BPF: u32 = 39;

/// `_LINUX_CAPABILITY_VERSION_3`: each set is two words of 32 bits.
const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Word {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Calls `work` with only these capabilities effective in this thread.
pub fn with_only<T>(kept: &[u32], work: impl FnOnce() -> T) -> Result<T> {
    let before = get()?;
    let mut less = before;
    for (index, word) in (0..).zip(&mut less) {
        word.effective = kept
            .iter()
            .filter(|capability| *capability / 32 == index)
            .fold(0, |set, capability| set | 1 << (capability % 32));
    }
    set(&less)?;
    let result = work();
    set(&before)?;
    Ok(result)
}

/// Drops all capabilities of this thread for good.
pub fn drop_all() -> Result<()> {
    set(&[Word::default(); 2])
}

fn get() -> Result<[Word; 2]> {
    let mut words = [Word::default(); 2];
    call(libc::SYS_capget, words.as_mut_ptr())?;
    Ok(words)
}

fn set(words: &[Word; 2]) -> Result<()> {
    call(libc::SYS_capset, words.as_ptr().cast_mut())
}

fn call(number: libc::c_long, words: *mut Word) -> Result<()> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    // SAFETY: the header and the two words have the layout of version 3.
    let ret = unsafe { libc::syscall(number, &raw mut header, words) };
    ensure!(ret == 0, "capget or capset: {}", io::Error::last_os_error());
    Ok(())
}
