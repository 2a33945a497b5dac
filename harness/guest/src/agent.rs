// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs all tests and reports them: start, one event per test, end.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wire::{FromGuest, PROTOCOL, TestReport};

use crate::channel::Channel;
use crate::discover::TestSet;
use crate::headroom::Headroom;
use crate::kcsan;
use crate::kmemleak;
use crate::lockdep;
use crate::test;
use crate::test_progs;

/// Runs every test of the set and reports it over the channel.
pub fn run(tests: &TestSet) -> Result<()> {
    let headroom = Headroom::at_start()?;
    let names = tests.tests.iter().map(|c| c.name.clone()).collect();
    run_each(names, &tests.empty_objects, |index, channel| {
        test::run(&tests.tests[index], &headroom, channel)
    })
}

/// Runs every test of a `test_progs` and reports it over the channel.
pub fn run_test_progs(program: &Path) -> Result<()> {
    let names = test_progs::names(program)?;
    run_each(names.clone(), &[], |index, _| {
        test_progs::run(program, &names[index])
    })
}

/// Sends `start`, calls `run` with the index of each test, and sends the reports and `end`.
fn run_each(
    names: Vec<String>,
    empty_objects: &[String],
    mut run: impl FnMut(usize, &mut Channel) -> TestReport,
) -> Result<()> {
    let mut channel = Channel::open()?;
    channel.send(&start(names.clone(), empty_objects)?)?;
    for (index, test) in names.iter().enumerate() {
        channel.send(&FromGuest::TestStart { test: test.clone() })?;
        let report = run(index, &mut channel);
        channel.send(&FromGuest::Test(report))?;
    }
    lockdep::warn_if_off();
    kcsan::warn_if_inactive();
    channel.send(&FromGuest::End {
        tests: names.len(),
        leaks: kmemleak::scan()?,
    })
}

fn start(tests: Vec<String>, empty_objects: &[String]) -> Result<FromGuest> {
    Ok(FromGuest::Start {
        protocol: PROTOCOL,
        kernel: kernel_release()?,
        machine: std::env::consts::ARCH.to_owned(),
        cpus: online_cpus()?,
        tests,
        empty_objects: empty_objects.to_vec(),
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
