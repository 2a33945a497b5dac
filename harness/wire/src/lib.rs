// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What crosses between the guest agent and the host.
//!
//! The channel is one virtio-serial port named [`PORT`]. Each side writes one JSON object a line,
//! ended by `\n`; nothing else goes over the port. The guest's lines come in this order:
//!
//! ```text
//! start  (test_start  [request …]  test)*  end
//! ```
//!
//! Every test that `start` lists is reported exactly once, and `end` repeats their number, so a
//! stream that was cut, doubled or mixed cannot look complete. The guest only reports; it never
//! judges whether a result is right.

use serde::{Deserialize, Serialize};

mod bytes;

pub use bytes::Bytes;

/// Raised whenever a line changes its meaning; host and guest refuse each other when they differ.
pub const PROTOCOL: u32 = 4;

/// Name of the virtio-serial port, as in `/sys/class/virtio-ports/*/name`.
pub const PORT: &str = "bpf-streams.0";

/// A line that the guest writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromGuest {
    /// The first line: who speaks, and everything that will be reported.
    Start {
        /// [`PROTOCOL`] of the agent.
        protocol: u32,
        /// `uname -r` of the guest, for example `6.12.117-bpf-streams`.
        kernel: String,
        /// `uname -m` of the guest, for example `x86_64`.
        machine: String,
        /// CPUs online.
        cpus: u32,
        /// Names of the tests in the order in which they will run, after the selection.
        tests: Vec<String>,
        /// Files in the objects' folder that hold no program; never right, the host says so.
        empty_objects: Vec<String>,
    },
    /// A test begins; a guest that dies afterwards died in it.
    TestStart {
        /// Name of the test.
        test: String,
    },
    /// The guest asks the host for something that only the host can do, and waits for the answer.
    Request {
        /// What is asked.
        request: Request,
    },
    /// What a test did.
    Test(TestReport),
    /// The last line.
    End {
        /// How many tests were reported.
        tests: usize,
        /// What kmemleak lists at the end: nothing, or the leaked objects with the stacks that
        /// allocated them. `None` where the kernel has no kmemleak.
        leaks: Option<String>,
    },
}

/// What only the host can do for the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Inject an NMI into the guest (QMP `inject-nmi`).
    Nmi,
}

/// A line that the host writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromHost {
    /// The request was carried out.
    Done,
    /// The request could not be carried out.
    Refused {
        /// Why, for the test's report.
        reason: String,
    },
}

/// What a test did, raw and unjudged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestReport {
    /// `<file>__<program>`: the object's stem (without `.bpf.o`) and the program's name.
    pub test: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was read from the program's stdout (stream 1) after the test.
    pub stdout: Bytes,
    /// What was read from the program's stderr (stream 2) after the test.
    pub stderr: Bytes,
    /// Why it does otherwise in mainline, where its file says so (`__not_in_mainline`); for the host
    /// alone, the test is run all the same.
    pub not_in_mainline: Option<String>,
    /// What the test's scenario observed, a line each; part of the snapshot.
    pub notes: Vec<String>,
    /// Wall time of the test in the guest, in microseconds.
    pub micros: u64,
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// The program was loaded and ran.
    Ran {
        /// What the program returned; `None` where it was triggered by an attachment, whose value
        /// nobody gets.
        retval: Option<i64>,
    },
    /// The kernel refused to load the program.
    Rejected {
        /// Positive errno of `BPF_PROG_LOAD`.
        errno: i32,
        /// The verifier's log, as it came.
        log: String,
    },
    /// The test needs a feature that this kernel or machine does not have, so it was not run.
    Skipped {
        /// Name of the feature, as in the test's `__requires(…)`.
        feature: String,
    },
    /// The agent could not carry the test out: never right, whatever the snapshot says.
    Failed {
        /// What failed, with the causes.
        error: String,
    },
}
