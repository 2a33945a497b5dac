// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! An extension: loads the program that the case names, lets the case's own replace the function of it
//! that its section says, runs the extended program, and reads the streams of both.

use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};
use libbpf_rs::OpenObject;

use super::{Stage, others};
use crate::load;
use crate::runner;
use crate::stream::Stream;
use crate::wishes::Wishes;

/// Loads the one after the other, attaches, runs, reads.
pub fn play(stage: &mut Stage<'_>) -> Result<Option<i64>> {
    let name = stage
        .wishes
        .with
        .first()
        .context("an extension says what it extends, by __with()")?;
    let extended = load::load_alone(stage.case, name)?;
    let target = extended.program()?;
    let case = stage.case;
    let extension = load::load_with(case, &Wishes::default(), |object| {
        aim(object, &case.program, target.as_fd().as_raw_fd())
    })?;
    let program = extension.program()?;
    let link = runner::attach(&program)?;
    let run = runner::run(&target, stage.wishes.run, None)?;
    drop(link);
    Stream::Stdout.drain(program.as_fd(), &mut stage.seen.stdout)?;
    Stream::Stderr.drain(program.as_fd(), &mut stage.seen.stderr)?;
    others::note_streams(stage, name, target.as_fd())?;
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
