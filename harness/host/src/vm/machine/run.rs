// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! One run: boot, follow, record.

use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};

use anyhow::{Context as _, Result};
use fs_err as fs;

use super::events::{self, Event, Port};
use super::group::Group;
use super::scratch::Scratch;
use super::session::{Listener, Session};
use super::{Accel, RunRecord, RunSpec, VIRTME_NG, accel, command, root};
use crate::env::context::Context;

/// Boots the guest and records what happens until it is gone. `listener` is called with each line
/// that the guest writes, as it comes.
///
/// An error means that no guest could be started; whatever happens to one that was is in the record.
pub fn run<'a>(ctx: &Context, spec: &RunSpec, listener: &'a mut Listener<'a>) -> Result<RunRecord> {
    let accel = if spec.icount {
        Accel::Tcg
    } else {
        accel::choose(ctx, &spec.tools.qemu, &spec.image)?
    };
    fs::create_dir_all(&spec.run_dir)
        .with_context(|| format!("cannot make the folder {}", spec.run_dir.display()))?;
    let scratch = Scratch::new()?;
    root::fill(&scratch.root(), spec)?;

    let (queue, happenings) = mpsc::channel();
    events::listen(Port::Channel, &scratch.channel(), queue.clone())?;
    events::listen(Port::Qmp, &scratch.qmp(), queue.clone())?;
    let mut session = Session::begin(spec.timeouts, &spec.run_dir, listener)?;
    let group = Group::new(scratch.path())?;
    start(&group, spec, &scratch, accel, queue)?;

    while !session.is_over() {
        match happenings.recv_timeout(session.left()) {
            Ok(event) => session.take(event)?,
            Err(RecvTimeoutError::Timeout) if session.must_end() => break,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        session.check_time();
        if session.must_end() {
            // what virtme-ng left behind, or all of it; then nobody will connect any more
            group.kill();
            events::give_up(&scratch.channel());
            events::give_up(&scratch.qmp());
        }
    }
    let time = session.elapsed();
    let (end, recorded) = session.finish();
    Ok(RunRecord {
        lines: recorded.lines,
        console: recorded.console,
        end,
        accelerator: accel,
        qemu_version: recorded.qemu_version,
        virtme_version: VIRTME_NG.to_owned(),
        time,
        boot: recorded.boot,
    })
}

/// Starts virtme-ng; its standard error is the guest's console.
fn start(
    group: &Group,
    spec: &RunSpec,
    scratch: &Scratch,
    accel: Accel,
    queue: Sender<Event>,
) -> Result<()> {
    let program = &spec.tools.virtme_run;
    let mut child = group
        .spawn(
            Command::new(program)
                .args(command::arguments(spec, scratch, accel))
                // for virtme-ng's own files
                .env("TMPDIR", scratch.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped()),
        )
        .with_context(|| {
            format!(
                "cannot start virtme-ng ({}); remove its folder to have it installed anew",
                program.display()
            )
        })?;
    if let Some(console) = child.stderr.take() {
        events::read(Port::Console, console, queue.clone());
    }
    events::wait(child, queue);
    Ok(())
}
