// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The agent's whole run: start, every case, end.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wire::{CaseReport, FromGuest, PROTOCOL};

use crate::case;
use crate::catalogue::Catalogue;
use crate::channel::Channel;
use crate::headroom::Headroom;
use crate::kcsan;
use crate::kmemleak;
use crate::lockdep;
use crate::test_progs;

/// Runs every case of the catalogue and reports it over the channel.
pub fn run(catalogue: &Catalogue) -> Result<()> {
    let headroom = Headroom::at_start()?;
    let names = catalogue.cases.iter().map(|c| c.name.clone()).collect();
    run_each(names, &catalogue.empty_objects, |index, channel| {
        case::run(&catalogue.cases[index], &headroom, channel)
    })
}

/// Runs every test of a `test_progs` and reports it over the channel.
pub fn run_test_progs(program: &Path) -> Result<()> {
    let names = test_progs::names(program)?;
    run_each(names.clone(), &[], |index, _| {
        test_progs::run(program, &names[index])
    })
}

/// Announces the cases, has `run` run each by its place, and reports.
fn run_each(
    names: Vec<String>,
    empty_objects: &[String],
    mut run: impl FnMut(usize, &mut Channel) -> CaseReport,
) -> Result<()> {
    let mut channel = Channel::open()?;
    channel.send(&start(names.clone(), empty_objects)?)?;
    for (index, case) in names.iter().enumerate() {
        channel.send(&FromGuest::CaseStart { case: case.clone() })?;
        let report = run(index, &mut channel);
        channel.send(&FromGuest::Case(report))?;
    }
    lockdep::tell_if_off();
    kcsan::tell_if_blind();
    channel.send(&FromGuest::End {
        cases: names.len(),
        leaks: kmemleak::scan()?,
    })
}

fn start(cases: Vec<String>, empty_objects: &[String]) -> Result<FromGuest> {
    Ok(FromGuest::Start {
        protocol: PROTOCOL,
        kernel: kernel_release()?,
        machine: std::env::consts::ARCH.to_owned(),
        cpus: online_cpus()?,
        cases,
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
