// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What a scenario works with, and what it leaves behind.

use anyhow::Result;

use crate::channel::Channel;
use crate::discover::Test;
use crate::load::{self, Loaded};
use crate::test_spec::TestSpec;

/// Runs a test; returns the program's return value where the kernel reports one.
pub type Scenario = fn(&mut TestCtx<'_>) -> Result<Option<i64>>;

/// Output of a test. It is kept when the test fails half-way.
#[derive(Default)]
pub struct Output {
    /// Text read from the program's stdout.
    pub stdout: Vec<u8>,
    /// Text read from the program's stderr.
    pub stderr: Vec<u8>,
    /// Lines that the scenario noted for the snapshot.
    pub notes: Vec<String>,
}

/// The state that a scenario works with.
pub struct TestCtx<'a> {
    /// The test to run.
    pub test: &'a Test,
    /// The test's attributes.
    pub spec: &'a TestSpec,
    /// The channel to the host, for requests that only the host can carry out.
    pub channel: &'a mut Channel,
    /// Output so far.
    pub output: &'a mut Output,
}

impl TestCtx<'_> {
    /// Loads the test.
    pub fn load(&self) -> Result<Loaded> {
        load::load(self.test, self.spec)
    }

    /// Adds a line to the snapshot.
    pub fn note(&mut self, line: impl Into<String>) {
        self.output.notes.push(line.into());
    }
}
