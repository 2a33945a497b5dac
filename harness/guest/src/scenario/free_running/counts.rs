// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The runs that a program has counted, in a map that outlives it.

use anyhow::{Context, Result};
use libbpf_rs::{MapCore as _, MapFlags, MapHandle};

use crate::load::Loaded;

/// The map, without the program.
pub struct Counts(MapHandle);

impl Counts {
    /// The counts of a loaded program.
    pub fn of(loaded: &Loaded) -> Result<Counts> {
        Ok(Counts(MapHandle::try_from(&loaded.map("counts")?)?))
    }

    /// How many there are now.
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

/// The runs of a program.
pub struct Runs {
    /// How many have begun.
    pub begun: u64,
    /// How many of these have ended.
    pub ended: u64,
}

impl Runs {
    /// Whether one has begun and not ended.
    pub fn is_running(&self) -> bool {
        self.begun != self.ended
    }
}
