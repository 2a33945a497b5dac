// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! As the plain scenario, and notes the number of instructions after verification.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use anyhow::{Result, ensure};
use libbpf_rs::libbpf_sys;

use super::plain;
use crate::test_ctx::TestCtx;

/// Loads the program to count its instructions, then runs the plain scenario.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = ctx.load()?;
    let count = instructions(loaded.program()?.as_fd())?;
    ctx.note(format!("{count} instructions after verification"));
    plain::run(ctx)
}

fn instructions(program: BorrowedFd<'_>) -> Result<usize> {
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut size = size_of_val(&info) as u32;
    // SAFETY: the structure is valid for writes of the given size.
    let ret = unsafe {
        libbpf_sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &raw mut info, &raw mut size)
    };
    ensure!(
        ret == 0,
        "cannot get the program's info: {}",
        io::Error::from_raw_os_error(-ret)
    );
    Ok(info.xlated_prog_len as usize / size_of::<libbpf_sys::bpf_insn>())
}
