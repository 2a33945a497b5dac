// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Boots a guest, follows it until its end, and returns the record.

use std::panic;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;

use anyhow::{Context as _, Result};
use fs_err as fs;
use wire::FromGuest;

use super::dispatch::{Dispatcher, Seat, Times};
use super::events::{self, Port, VmEvent};
use super::process_group::ProcessGroup;
use super::scratch::Scratch;
use super::session::{Listener, Session};
use super::{Accel, RunRecord, RunSpec, VIRTME_NG, accel, command, root};
use crate::env::context::Context;

/// Boots a guest, which runs all tests in announced order, and records the run until its end. Calls
/// `listener` with each line of the guest as it arrives.
///
/// An error means that no guest was started; everything after that is in the record.
pub fn run<'a>(ctx: &Context, spec: &RunSpec, listener: &'a mut Listener<'a>) -> Result<RunRecord> {
    let dispatcher = Dispatcher::new(1, Times::new());
    run_one(spec, accelerator(ctx, spec)?, dispatcher.seat(0), listener)
}

/// Boots a guest per spec at the same time; they share the tests, which are handed out in the order of
/// `times`. Calls `listener` with each line of a guest and the guest's index. Returns the records in the
/// order of `specs`.
///
/// An error means that a guest was not started; the others then get no further test.
pub fn run_several(
    ctx: &Context,
    specs: &[RunSpec],
    times: Times,
    listener: &(dyn Fn(usize, &FromGuest) + Sync),
) -> Result<Vec<RunRecord>> {
    let Some(first) = specs.first() else {
        return Ok(Vec::new());
    };
    let accel = accelerator(ctx, first)?;
    let dispatcher = Dispatcher::new(specs.len(), times);
    // all seats exist before the first guest: the dispatcher counts the guests that have not ended
    let seats: Vec<Seat<'_>> = (0..specs.len())
        .map(|guest| dispatcher.seat(guest))
        .collect();
    thread::scope(|scope| {
        let guests: Vec<_> = specs
            .iter()
            .zip(seats)
            .enumerate()
            .map(|(guest, (spec, seat))| {
                let dispatcher = &dispatcher;
                scope.spawn(move || {
                    run_one(spec, accel, seat, &mut |line| listener(guest, line))
                        .inspect_err(|_| dispatcher.close())
                })
            })
            .collect();
        let records = guests.into_iter().map(|guest| match guest.join() {
            Ok(record) => record,
            Err(panic) => panic::resume_unwind(panic),
        });
        // collected first: every guest is waited for
        records.collect::<Vec<_>>().into_iter().collect()
    })
}

/// How guests of `spec` run.
fn accelerator(ctx: &Context, spec: &RunSpec) -> Result<Accel> {
    match spec.icount {
        true => Ok(Accel::Tcg),
        false => accel::choose(ctx, &spec.tools.qemu, &spec.image),
    }
}

fn run_one<'a>(
    spec: &RunSpec,
    accel: Accel,
    seat: Seat<'_>,
    listener: &'a mut Listener<'a>,
) -> Result<RunRecord> {
    fs::create_dir_all(&spec.run_dir)
        .with_context(|| format!("cannot make the folder {}", spec.run_dir.display()))?;
    let scratch = Scratch::new()?;
    root::fill(&scratch.root(), spec)?;

    let (queue, received) = mpsc::channel();
    events::listen(Port::Channel, &scratch.channel(), queue.clone())?;
    events::listen(Port::Qmp, &scratch.qmp(), queue.clone())?;
    let mut session = Session::begin(spec.timeouts, &spec.run_dir, listener, seat, queue.clone())?;
    let group = ProcessGroup::new(scratch.path())?;
    start(&group, spec, &scratch, accel, queue)?;

    while !session.is_over() {
        match received.recv_timeout(session.left()) {
            Ok(event) => session.handle(event)?,
            Err(RecvTimeoutError::Timeout) if session.must_end() => break,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        session.check_time();
        if session.must_end() {
            // kill everything, or what virtme-ng left; QEMU makes no connection after this
            group.kill();
            events::give_up(&scratch.channel());
            events::give_up(&scratch.qmp());
        }
    }
    let time = session.elapsed();
    let (end, recorded) = session.finish();
    Ok(RunRecord {
        lines: recorded.lines,
        handed: recorded.handed,
        console: recorded.console,
        end,
        accelerator: accel,
        qemu_version: recorded.qemu_version,
        virtme_version: VIRTME_NG.to_owned(),
        time,
        boot: recorded.boot,
    })
}

/// Starts virtme-ng, whose standard error is the guest's console.
fn start(
    group: &ProcessGroup,
    spec: &RunSpec,
    scratch: &Scratch,
    accel: Accel,
    queue: Sender<VmEvent>,
) -> Result<()> {
    let program = &spec.tools.virtme_run;
    let mut child = group
        .spawn(
            Command::new(program)
                .args(command::arguments(spec, scratch, accel))
                // for temporary files of virtme-ng
                .env("TMPDIR", scratch.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped()),
        )
        .with_context(|| {
            format!(
                "cannot start virtme-ng ({}); remove its folder, and the next run installs it again",
                program.display()
            )
        })?;
    if let Some(console) = child.stderr.take() {
        events::read(Port::Console, console, queue.clone());
    }
    events::wait(child, queue);
    Ok(())
}
