// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The protocol between the guest agent and the host.
//!
//! The channel is one virtio-serial port named [`PORT`]. Each side writes one JSON object per line,
//! ended by `\n`, and nothing else. The order of the guest's lines is:
//!
//! ```text
//! start  (test_start  [request …]  test)*  end
//! ```
//!
//! After `start` and after each `test` the guest waits for the host's [`FromHost::Run`], which names
//! the next test, or [`FromHost::Finish`]. So several guests can share the tests of one run. Every
//! test that the host names is reported exactly once, and `end` repeats their number, so that an
//! incomplete, duplicated or mixed stream is detected. The guest only reports; the host decides
//! whether a result is right.

use serde::{Deserialize, Serialize};

mod bytes;

pub use bytes::Bytes;

/// Version of the protocol, changed whenever the meaning of a line changes. Host and guest must
/// have the same version.
pub const PROTOCOL: u32 = 5;

/// Name of the virtio-serial port, as in `/sys/class/virtio-ports/*/name`.
pub const PORT: &str = "bpf-streams.0";

/// A line from the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromGuest {
    /// The first line: the guest, and the tests that it will report.
    Start {
        /// [`PROTOCOL`] of the agent.
        protocol: u32,
        /// `uname -r` of the guest, for example `6.12.117-bpf-streams`.
        kernel: String,
        /// `uname -m` of the guest, for example `x86_64`.
        machine: String,
        /// Number of online CPUs.
        cpus: u32,
        /// Names of the selected tests, in the order of the objects and of their programs.
        tests: Vec<String>,
        /// Those of `tests` that must run while no other guest runs (`__alone`).
        alone: Vec<String>,
        /// Object files without a program, which the host reports as an error.
        empty_objects: Vec<String>,
    },
    /// A test begins. If the guest dies before the report, it died in this test.
    TestStart {
        /// Name of the test.
        test: String,
    },
    /// A request to the host. The guest waits for the answer.
    Request {
        /// The request.
        request: Request,
    },
    /// The result of a test.
    Test(TestReport),
    /// The last line.
    End {
        /// Number of reported tests.
        tests: usize,
        /// Output of kmemleak: empty, or the leaked objects with the stacks that allocated them.
        /// `None` if the kernel has no kmemleak.
        leaks: Option<String>,
    },
}

/// A request that only the host can carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Inject an NMI into the guest (QMP `inject-nmi`).
    Nmi,
}

/// A line from the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromHost {
    /// Run this test of `start` next.
    Run {
        /// Name of the test.
        test: String,
    },
    /// There is no further test for this guest: send `end`.
    Finish,
    /// The request was carried out.
    Done,
    /// The request could not be carried out.
    Refused {
        /// The reason, for the test's report.
        reason: String,
    },
}

/// The raw result of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestReport {
    /// `<file>__<program>`: the object's stem (without `.bpf.o`) and the program's name.
    pub test: String,
    /// How the test ended.
    pub outcome: Outcome,
    /// Text read from the program's stdout (stream 1).
    pub stdout: Bytes,
    /// Text read from the program's stderr (stream 2).
    pub stderr: Bytes,
    /// Why the result differs in mainline (`__not_in_mainline`). Used by the host only; the guest
    /// runs the test in any case.
    pub not_in_mainline: Option<String>,
    /// Lines that the scenario noted; part of the snapshot.
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
        /// The program's return value; `None` if the kernel does not report it, as for attached
        /// programs.
        retval: Option<i64>,
    },
    /// The kernel rejected the program.
    Rejected {
        /// Positive errno of `BPF_PROG_LOAD`.
        errno: i32,
        /// The verifier's log, unchanged.
        log: String,
    },
    /// The test was not run because a feature is missing in this kernel or machine.
    Skipped {
        /// Name of the feature in the test's `__requires(…)`.
        feature: String,
    },
    /// The agent could not run the test, which is always an error.
    Failed {
        /// The error with its causes.
        error: String,
    },
}
