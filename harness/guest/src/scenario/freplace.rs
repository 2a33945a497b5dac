// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Loads the program that the test names, replaces its function that the section of the test's own
//! program names, runs the program, and reads the streams of both.

use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};
use libbpf_rs::OpenObject;

use super::other_progs;
use crate::load;
use crate::prog_run;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;
use crate::test_spec::TestSpec;

/// Loads both programs, attaches, runs and reads.
pub fn run(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let name = ctx
        .spec
        .load_with
        .first()
        .context("an extension must name its target program with __load_with()")?;
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

/// Sets the attach target of the extension; its section contains the function's name.
fn aim(object: &mut OpenObject, extension: &str, extended: i32) -> Result<()> {
    for mut program in object.progs_mut() {
        if program.name() == extension {
            let section = program.section().to_string_lossy().into_owned();
            let function = section
                .split_once('/')
                .map(|(_, function)| function.to_owned());
            program
                .set_attach_target(extended, function)
                .context("cannot set the attach target of the extension")?;
        }
    }
    Ok(())
}
