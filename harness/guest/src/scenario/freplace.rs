// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! An extension: loads the program that the test names, lets the test's own replace the function of it
//! that its section says, runs the extended program, and reads the streams of both.

use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};
use libbpf_rs::OpenObject;

use super::other_progs;
use crate::load;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;
use crate::test_spec::TestSpec;

/// Loads the one after the other, attaches, runs, reads.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let name = ctx
        .spec
        .load_with
        .first()
        .context("an extension says what it extends, by __load_with()")?;
    let extended = load::load_alone(ctx.test, name)?;
    let target = extended.program()?;
    let test = ctx.test;
    let extension = load::load_with(test, &TestSpec::default(), |object| {
        aim(object, &test.program, target.as_fd().as_raw_fd())
    })?;
    let program = extension.program()?;
    let link = prog_run::attach(&program)?;
    let run = prog_run::run(&target, ctx.spec.repeat, None)?;
    drop(link);
    Stream::Stdout.drain(program.as_fd(), &mut ctx.output.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut ctx.output.stderr)?;
    other_progs::note_streams(ctx, name, target.as_fd())?;
    Ok(run.retval)
}

/// Says which program the extension extends; the function's name stands in its section's.
fn aim(object: &mut OpenObject, extension: &str, extended: i32) -> Result<()> {
    for mut program in object.progs_mut() {
        if program.name() == extension {
            let section = program.section().to_string_lossy().into_owned();
            let function = section
                .split_once('/')
                .map(|(_, function)| function.to_owned());
            program
                .set_attach_target(extended, function)
                .context("cannot say what the extension extends")?;
        }
    }
    Ok(())
}
