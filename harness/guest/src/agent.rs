// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The agent's whole run: start, every case, end.

use std::fs;

use anyhow::{Context, Result};
use wire::{FromGuest, PROTOCOL};

use crate::case;
use crate::catalogue::Catalogue;
use crate::channel::Channel;
use crate::headroom::Headroom;
use crate::kcsan;
use crate::kmemleak;
use crate::lockdep;

/// Runs every case of the catalogue and reports it over the channel.
pub fn run(catalogue: &Catalogue) -> Result<()> {
    let mut channel = Channel::open()?;
    channel.send(&start(catalogue)?)?;
    let headroom = Headroom::at_start()?;
    for case in &catalogue.cases {
        channel.send(&FromGuest::CaseStart {
            case: case.name.clone(),
        })?;
        let report = case::run(case, &headroom, &mut channel);
        channel.send(&FromGuest::Case(report))?;
    }
    lockdep::tell_if_off();
    kcsan::tell_if_blind();
    channel.send(&FromGuest::End {
        cases: catalogue.cases.len(),
        leaks: kmemleak::scan()?,
    })
}

fn start(catalogue: &Catalogue) -> Result<FromGuest> {
    Ok(FromGuest::Start {
        protocol: PROTOCOL,
        kernel: kernel_release()?,
        machine: std::env::consts::ARCH.to_owned(),
        cpus: online_cpus()?,
        cases: catalogue.cases.iter().map(|c| c.name.clone()).collect(),
        empty_objects: catalogue.empty_objects.clone(),
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
