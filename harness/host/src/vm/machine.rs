// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Boots a kernel with the guest agent under virtme-ng, and records the run without judging it.
//!
//! Results come over a separate virtio-serial port, never by exit codes: the exit code of virtme-ng is the
//! same for a panic, a QEMU that died and a good run. The record has the lines of the guest, its console,
//! and the reason for the end of the guest according to QMP.

use std::path::PathBuf;
use std::time::Duration;

use crate::env::context::{Arch, PLAIN};
use crate::env::guest_machine::GuestMachine;

mod accel;
mod board;
mod channel;
mod command;
mod dispatch;
mod end;
mod events;
pub(crate) mod process_group;
mod qmp;
mod root;
mod run;
mod scratch;
mod session;
mod shell;
mod timeouts;
mod tools;
mod userland;

pub use accel::Accel;
pub(crate) use accel::device as kvm_device;
pub use dispatch::Times;
pub use end::HowEnded;
pub use run::{run, run_several};
pub(crate) use shell::shell;
pub use timeouts::{Stage, Timeouts};
pub use tools::Tools;
use tools::VIRTME_NG;
pub use userland::Userland;

/// The kernel to boot, and the tests to run.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// The kernel image.
    pub image: PathBuf,
    /// Architecture of the guest.
    pub arch: Arch,
    /// What the kernel's configuration needs of the machine.
    pub machine: GuestMachine,
    /// The folder of the `*.bpf.o` files.
    pub objects: PathBuf,
    /// The guest agent.
    pub agent: PathBuf,
    /// bpftool for the guest; `None` if no test runs.
    pub bpftool: Option<PathBuf>,
    /// A `test_progs` of the kernel's tree; if set, its tests run instead of those in `objects`.
    pub test_progs: Option<PathBuf>,
    /// Runs only tests whose name matches this regular expression.
    pub filter: Option<String>,
    /// The folder for `console.log` and `channel.raw`, which are written while the guest runs.
    pub run_dir: PathBuf,
    /// Number of CPUs.
    pub cpus: u32,
    /// Whether the guest's clock counts instructions, one nanosecond each, so that measured times do not
    /// depend on the speed of the machine. Needs software emulation; exact only with one CPU.
    pub icount: bool,
    /// The time limit of each stage.
    pub timeouts: Timeouts,
    /// Factor for the time limits in the guest, for slow kernels.
    pub timeout_scale: u32,
    /// Duration of a stress test.
    pub stress: Duration,
    /// The reader of the streams, for tests without a reader of their own.
    pub reader: StreamReader,
    /// The programs that boot the guest.
    pub tools: Tools,
}

/// The reader of the streams of a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamReader {
    /// The agent, with libbpf.
    #[default]
    Agent,
    /// `bpftool prog tracelog`, run by the agent.
    Bpftool,
}

/// Enough CPUs for concurrent programs and readers.
pub const CPUS: u32 = 2;

/// `CONFIG_NR_CPUS` of `kernel-config/base.config`.
pub(crate) const MAX_CPUS: u32 = 8;

/// Default duration of a stress test on this configuration. A plain kernel is tested many times a day,
/// and the other ones find what a short time does not.
pub fn default_stress(config: &str) -> Duration {
    match config {
        PLAIN => Duration::from_millis(250),
        _ => Duration::from_secs(1),
    }
}

/// The record of a run.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// The lines that the guest wrote, in order.
    pub lines: Vec<RawLine>,
    /// The tests that were handed to the guest, in order.
    pub handed: Vec<String>,
    /// The console, including the error messages of QEMU.
    pub console: Vec<u8>,
    /// How the guest ended.
    pub end: HowEnded,
    /// How the guest's instructions were run.
    pub accelerator: Accel,
    /// Version of QEMU, from QMP.
    pub qemu_version: String,
    /// Version of virtme-ng.
    pub virtme_version: String,
    /// Time from the start of virtme-ng to the end of the guest.
    pub time: Duration,
    /// Time from the start of virtme-ng to the first line of the agent.
    pub boot: Option<Duration>,
}

/// A received line, including the `\n` unless it was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLine(pub Vec<u8>);
