// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Frees a program while it runs: one CPU attaches the program, drops all other references, makes
//! another CPU run it, and detaches it during the run, repeatedly for the duration of a stress
//! test. At least one run must outlast the last reference, and no report may go to another program.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use libbpf_rs::{MapCore as _, MapFlags, MapHandle};
use reports::Item;

use self::counts::Counts;
use self::loopback::{Loopback, Packets};
use crate::cpus;
use crate::load::{self, Loaded};
use crate::prog_run;
use crate::settings;
use crate::stream::Stream;
use crate::test_ctx::TestCtx;
use crate::test_spec::TestSpec;
use crate::trigger;
use crate::wait::{self, TIMEOUT};

mod counts;
mod loopback;

/// CPUs that run and that remove the program.
const RUNS_ON: u32 = 1;
const REMOVED_ON: u32 = 0;

/// Minimum number of rounds, even if they take longer than a stress test.
const ROUNDS: usize = 3;

/// The root cgroup, which contains all sockets; the guest's init mounts it.
const CGROUP: &str = "/sys/fs/cgroup";

/// Pause between two reads of the counts.
const MOMENT: Duration = Duration::from_millis(2);

/// The only reference to the program. Dropping it frees the program.
type Attached = Box<dyn std::any::Any>;

/// How a kind of test attaches and runs the program.
struct Plan<'a> {
    /// Attaches the program and drops all other references to it.
    attach: &'a dyn Fn(Loaded) -> Result<Attached>,
    /// Makes the program run once, unless it runs by itself.
    drive: &'a (dyn Fn() -> Result<()> + Sync),
    /// Whether the program's runs cause reports.
    reports: bool,
    /// Whether a run can outlast the removal. The kernel waits for runs in a trampoline or an XDP
    /// dispatcher that it changes, and for runs of a tracepoint or a timer.
    outlasts: bool,
}

/// Attached to cgroup egress, run by UDP packets.
pub fn run_cgroup(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let _loopback = Loopback::up()?;
    let packets = Packets::new()?;
    let root = File::open(CGROUP).with_context(|| format!("cannot open {CGROUP}"))?;
    run(
        ctx,
        &Plan {
            attach: &|loaded| {
                let link = loaded.program()?.attach_cgroup(root.as_raw_fd())?;
                Ok(Box::new(link))
            },
            drive: &|| packets.send(),
            reports: true,
            outlasts: true,
        },
    )
}

/// Attached to the loopback device, run by UDP packets.
pub fn run_xdp(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let loopback = Loopback::up()?;
    let packets = Packets::new()?;
    run(
        ctx,
        &Plan {
            attach: &|loaded| {
                let link = loaded.program()?.attach_xdp(loopback.index())?;
                Ok(Box::new(link))
            },
            drive: &|| packets.send(),
            reports: true,
            outlasts: false,
        },
    )
}

/// Attached as its section says. The program that the test names, if any, stays attached to the
/// same hook.
pub fn run_attached(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    let others = ctx
        .spec
        .load_with
        .iter()
        .map(|name| load::load_alone(ctx.test, name))
        .collect::<Result<Vec<_>>>()?;
    let _links = others
        .iter()
        .map(|other| prog_run::attach(&other.program()?))
        .collect::<Result<Vec<_>>>()?;
    run(
        ctx,
        &Plan {
            attach: &|loaded| Ok(Box::new(prog_run::attach(&loaded.program()?)?)),
            drive: &trigger::find(trigger::DEFAULT)?,
            reports: true,
            outlasts: false,
        },
    )?;
    for other in &others {
        expect_silence(other)?;
    }
    Ok(None)
}

/// Run by a tail call; its entry in the prog array is deleted.
pub fn run_prog_array(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_prog_array_with(ctx, true)
}

/// As [`run_prog_array`], for a program that causes no reports.
pub fn run_prog_array_silent(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_prog_array_with(ctx, false)
}

fn run_prog_array_with(ctx: &mut TestCtx<'_>, reports: bool) -> Result<Option<i64>> {
    let name = ctx
        .spec
        .load_with
        .first()
        .context("the test must name its caller with __load_with()")?;
    let caller = load::load_alone(ctx.test, name)?;
    let program = caller.program()?;
    let fd = program.as_fd();
    let targets = MapHandle::try_from(&caller.map("targets")?)?;
    run(
        ctx,
        &Plan {
            attach: &|loaded| Ok(Box::new(Entry::fill(&targets, loaded.program()?.as_fd())?)),
            drive: &|| prog_run::run_fd_on_packet(fd).map(drop),
            reports,
            outlasts: true,
        },
    )?;
    expect_silence(&caller)?;
    Ok(None)
}

/// The first entry of a prog array. Dropping it deletes the entry.
struct Entry(MapHandle);

impl Entry {
    const KEY: [u8; 4] = 0_u32.to_ne_bytes();

    fn fill(targets: &MapHandle, program: BorrowedFd<'_>) -> Result<Entry> {
        let entry = Entry(MapHandle::try_from(targets)?);
        let value = program.as_raw_fd().to_ne_bytes();
        entry.0.update(&Entry::KEY, &value, MapFlags::ANY)?;
        Ok(entry)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Err(error) = self.0.delete(&Entry::KEY) {
            // report it on the console; the scenario then fails as the program is not freed
            eprintln!("bpf-streams-guest: cannot delete an entry: {error}");
        }
    }
}

/// Run as a timer callback that restarts its timer.
pub fn run_timer(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_callback(ctx, "timers", false)
}

/// Run as a workqueue callback that restarts its work.
pub fn run_wq(ctx: &mut TestCtx<'_>) -> Result<Option<i64>> {
    run_callback(ctx, "works", true)
}

/// The map of the timer or work holds the last reference to the program.
fn run_callback(ctx: &mut TestCtx<'_>, map: &str, outlasts: bool) -> Result<Option<i64>> {
    run(
        ctx,
        &Plan {
            attach: &|loaded| {
                let program = loaded.program()?;
                cpus::stay_on(RUNS_ON)?;
                let code = prog_run::run_fd_on_packet(program.as_fd())?;
                cpus::stay_on(REMOVED_ON)?;
                ensure!(code == 0, "the program returned {code}");
                Ok(Box::new(MapHandle::try_from(&loaded.map(map)?)?))
            },
            drive: &|| Ok(()),
            reports: true,
            outlasts,
        },
    )
}

/// Runs the rounds and notes the result.
fn run(ctx: &mut TestCtx<'_>, plan: &Plan<'_>) -> Result<Option<i64>> {
    let everywhere = cpus::online()?;
    let outlasted = thread::scope(|scope| {
        let (orders, received) = mpsc::channel();
        let once = plan.drive;
        let driver = scope.spawn(move || drive(once, &received));
        let outlasted = rounds(ctx, plan, orders);
        match driver.join() {
            Ok(driven) => driven.and(outlasted),
            Err(_) => bail!("the thread that runs the program panicked"),
        }
    });
    cpus::stay_on_any(&everywhere)?;
    let outlasted = outlasted?;
    if plan.outlasts {
        ensure!(
            outlasted > 0,
            "no run of the program outlasted the last reference to it"
        );
        ctx.note("runs outlasted the last reference to the program");
    } else {
        ctx.note("the program was removed while it ran");
    }
    Ok(None)
}

/// Runs the program once for each order. Attaching patches kernel code, so the program must not run
/// on this CPU at that time: that would test code patching, not removal.
fn drive(once: &(dyn Fn() -> Result<()> + Sync), orders: &Receiver<()>) -> Result<()> {
    cpus::stay_on(RUNS_ON)?;
    while orders.recv().is_ok() {
        once()?;
    }
    Ok(())
}

/// Attaches and frees the program repeatedly; returns how many runs outlasted their program's
/// references.
fn rounds(ctx: &TestCtx<'_>, plan: &Plan<'_>, orders: Sender<()>) -> Result<usize> {
    cpus::stay_on(REMOVED_ON)?;
    let until = Instant::now() + settings::stress();
    let (mut round, mut outlasted) = (0, 0);
    while round < ROUNDS || Instant::now() < until {
        let survived =
            one_round(ctx, plan, &orders, round == 0).with_context(|| format!("round {round}"))?;
        outlasted += usize::from(survived);
        round += 1;
    }
    Ok(outlasted)
}

/// Returns whether a run was in progress after the last reference was dropped.
fn one_round(ctx: &TestCtx<'_>, plan: &Plan<'_>, orders: &Sender<()>, first: bool) -> Result<bool> {
    let loaded = load::load(ctx.test, &TestSpec::default())?;
    let counts = Counts::of(&loaded)?;
    let program = loaded.program()?.as_fd().try_clone_to_owned()?;
    let attached = (plan.attach)(loaded)?;
    let order = || {
        orders
            .send(())
            .context("the thread that runs the program has ended")
    };
    // read before the order: a run may end before this CPU looks again
    let mut missed = counts.read()?.ended;
    order()?;
    if first && plan.reports {
        expect_own_report(ctx, program.as_fd())?;
        order()?;
    }
    drop(program);
    let begun = Instant::now();
    loop {
        let runs = counts.read()?;
        if runs.is_running() {
            break;
        }
        ensure!(
            begun.elapsed() < settings::scaled(TIMEOUT),
            "the program never ran"
        );
        // on a busy machine this CPU may be preempted for longer than a run takes
        if runs.ended > missed {
            missed = runs.ended;
            order()?;
        }
    }
    drop(attached);
    let outlasted = counts.read()?.is_running();
    wait_for_end(&counts)?;
    Ok(outlasted)
}

/// Waits until no run is in progress.
fn wait_for_end(counts: &Counts) -> Result<()> {
    let begun = Instant::now();
    while counts.read()?.is_running() {
        ensure!(
            begun.elapsed() < settings::scaled(TIMEOUT),
            "a run of the program did not end"
        );
        thread::sleep(MOMENT);
    }
    Ok(())
}

/// Waits for the first report, which must be of this program.
fn expect_own_report(ctx: &TestCtx<'_>, program: BorrowedFd<'_>) -> Result<()> {
    let mut text = Vec::new();
    wait::for_bytes(Stream::Stderr, program, 1, TIMEOUT, &mut text)?;
    let items = reports::parse(&text).context("stderr")?;
    let Some(Item::KernelReport(report)) = items.first() else {
        bail!("stderr does not begin with a report: {items:?}");
    };
    let named = |name: &str| {
        report
            .frames
            .iter()
            .filter_map(|frame| frame.program.as_ref())
            .any(|program| program.name == name)
    };
    let expected = &ctx.test.program;
    // the stack of a callback does not contain its program
    let callback = ["expired", "work"].iter().any(|name| named(name));
    ensure!(
        callback || named(expected),
        "the first report is not of {expected}: {report:?}"
    );
    Ok(())
}

/// No report went to a program that caused none.
fn expect_silence(other: &Loaded) -> Result<()> {
    let mut text = Vec::new();
    Stream::Stderr.drain(other.program()?.as_fd(), &mut text)?;
    ensure!(
        text.is_empty(),
        "a report of the program went to the stderr of another program: {}",
        String::from_utf8_lossy(&text)
    );
    Ok(())
}
