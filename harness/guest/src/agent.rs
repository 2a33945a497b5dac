// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the tests that the host names and reports them: start, one event per test, end.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use wire::{FromGuest, PROTOCOL, TestReport};

use crate::channel::Channel;
use crate::discover::TestSet;
use crate::headroom::Headroom;
use crate::kcsan;
use crate::kmemleak;
use crate::lockdep;
use crate::test;
use crate::test_progs;

/// Runs tests of the set as the host names them, and reports them over the channel.
pub fn run(tests: &TestSet) -> Result<()> {
    let headroom = Headroom::at_start()?;
    let announced = Announced {
        names: tests.tests.iter().map(|test| test.name.clone()).collect(),
        alone: tests
            .tests
            .iter()
            .filter(|test| matches!(&test.spec, Ok(spec) if spec.alone.is_some()))
            .map(|test| test.name.clone())
            .collect(),
        empty_objects: tests.empty_objects.clone(),
    };
    run_each(announced, |index, channel| {
        test::run(&tests.tests[index], &headroom, channel)
    })
}

/// Runs tests of a `test_progs` as the host names them, and reports them over the channel.
pub fn run_test_progs(program: &Path) -> Result<()> {
    let names = test_progs::names(program)?;
    let announced = Announced {
        names: names.clone(),
        alone: Vec::new(),
        empty_objects: Vec::new(),
    };
    run_each(announced, |index, _| {
        test_progs::run(program, &names[index])
    })
}

/// The lists of the `start` line.
struct Announced {
    names: Vec<String>,
    alone: Vec<String>,
    empty_objects: Vec<String>,
}

/// Sends `start`, calls `run` with the index of each test that the host names, and sends the reports
/// and `end`.
fn run_each(
    announced: Announced,
    mut run: impl FnMut(usize, &mut Channel) -> TestReport,
) -> Result<()> {
    let mut channel = Channel::open()?;
    let names = announced.names.clone();
    channel.send(&start(announced)?)?;
    let mut reported = 0;
    while let Some(test) = channel.next_test()? {
        let index = names
            .iter()
            .position(|name| *name == test)
            .ok_or_else(|| anyhow!("the host named the test `{test}`, which is not in the list"))?;
        channel.send(&FromGuest::TestStart { test })?;
        let report = run(index, &mut channel);
        channel.send(&FromGuest::Test(report))?;
        reported += 1;
    }
    lockdep::warn_if_off();
    kcsan::warn_if_inactive();
    channel.send(&FromGuest::End {
        tests: reported,
        leaks: kmemleak::scan()?,
    })
}

fn start(announced: Announced) -> Result<FromGuest> {
    Ok(FromGuest::Start {
        protocol: PROTOCOL,
        kernel: kernel_release()?,
        machine: std::env::consts::ARCH.to_owned(),
        cpus: online_cpus()?,
        tests: announced.names,
        alone: announced.alone,
        empty_objects: announced.empty_objects,
    })
}

fn kernel_release() -> Result<String> {
    const FILE: &str = "/proc/sys/kernel/osrelease";
    let text = fs::read_to_string(FILE).with_context(|| format!("cannot read {FILE}"))?;
    Ok(text.trim_end().to_owned())
}

fn online_cpus() -> Result<u32> {
    let cpus = std::thread::available_parallelism().context("cannot count the CPUs")?;
    Ok(u32::try_from(cpus.get())?)
}
