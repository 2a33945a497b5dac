// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The program's counts of its runs, in a map that outlives the program.

use anyhow::{Context, Result};
use libbpf_rs::{MapCore as _, MapFlags, MapHandle};

use crate::load::Loaded;

/// The map that holds the counts.
pub struct Counts(MapHandle);

impl Counts {
    /// The map of a loaded program.
    pub fn of(loaded: &Loaded) -> Result<Counts> {
        Ok(Counts(MapHandle::try_from(&loaded.map("counts")?)?))
    }

    /// Reads the counts.
    pub fn read(&self) -> Result<Runs> {
        let value = self
            .0
            .lookup(&0_u32.to_ne_bytes(), MapFlags::ANY)
            .context("cannot read the counts")?
            .context("the counts have no entry")?;
        let (begun, ended) = value.split_at(size_of::<u64>());
        Ok(Runs {
            begun: u64::from_ne_bytes(begun.try_into()?),
            ended: u64::from_ne_bytes(ended.try_into()?),
        })
    }
}

/// Counts of runs.
pub struct Runs {
    /// Runs that have begun.
    pub begun: u64,
    /// Runs that have ended.
    pub ended: u64,
}

impl Runs {
    /// Whether a run is in progress.
    pub fn is_running(&self) -> bool {
        self.begun != self.ended
    }
}
