// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A task's name may contain any bytes, but the kernel must print it within one line.

use std::ffi::{CStr, CString};
use std::io;

use anyhow::{Context, Result};

use super::plain;
use crate::test_ctx::TestCtx;

/// A name that would forge a line of a stack dump, of the maximum length of 15 bytes. A backslash
/// is printed as it is.
const FORGED: &CStr = c"x\nCall trace:\\n";

/// Runs the test in a thread of that name.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let own = name()?;
    set_name(FORGED)?;
    let result = plain::run(ctx);
    set_name(&own)?;
    result
}

fn name() -> Result<CString> {
    let mut name = [0u8; 16];
    // SAFETY: PR_GET_NAME writes 16 bytes with a NUL at the end.
    let ret = unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    checked(ret)?;
    Ok(CStr::from_bytes_until_nul(&name)?.to_owned())
}

fn set_name(name: &CStr) -> Result<()> {
    // SAFETY: PR_SET_NAME reads up to 16 bytes, or up to the NUL.
    let ret = unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    checked(ret)
}

fn checked(ret: libc::c_int) -> Result<()> {
    if ret < 0 {
        return Err(io::Error::last_os_error()).context("cannot read or set the thread's name");
    }
    Ok(())
}
