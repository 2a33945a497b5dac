// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads the program with `BPF_F_TEST_RND_HI32`, with which the verifier fills the upper halves of 32-bit
//! results with random numbers, and runs it: a result that it takes for 64 bits wide must stay as it is.

use anyhow::Result;
use libbpf_rs::libbpf_sys::BPF_F_TEST_RND_HI32;

use crate::load;
use crate::prog_run;
use crate::test_ctx::TestCtx;

/// Runs the program.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loaded = load::load_with(ctx.test, ctx.spec, |object| {
        for mut program in object.progs_mut() {
            program.set_flags(BPF_F_TEST_RND_HI32);
        }
        Ok(())
    })?;
    let run = prog_run::run(&loaded.program()?, ctx.spec.repeat, None)?;
    Ok(run.retval)
}
