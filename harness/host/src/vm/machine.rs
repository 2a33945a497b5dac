// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Boots a kernel under virtme-ng, with the guest agent in it, and records what happens.
//!
//! Nothing here judges. Results come over a virtio-serial port of our own, never by exit codes: those
//! of virtme-ng are the same for a panic, for a QEMU that died and for a good run. What QEMU says of
//! its end over QMP, what the guest wrote, and its console are recorded as they come.

use std::path::PathBuf;
use std::time::Duration;

use crate::env::context::Arch;

mod accel;
mod board;
mod channel;
mod command;
mod end;
mod events;
pub(crate) mod group;
mod qmp;
mod root;
mod run;
mod scratch;
mod session;
mod shell;
mod timeouts;
mod tools;
mod userland;

pub use accel::{Accel, device as kvm_device};
pub use end::HowEnded;
pub use run::run;
pub use shell::shell;
pub use timeouts::{Stage, Timeouts};
pub use tools::{QEMU_MINIMUM, Tools, VIRTME_NG};
pub use userland::Userland;

/// What to boot, and what to run in it.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// The kernel's image.
    pub image: PathBuf,
    /// Architecture of the guest.
    pub arch: Arch,
    /// Folder of the `*.bpf.o` files.
    pub objects: PathBuf,
    /// The guest agent.
    pub agent: PathBuf,
    /// bpftool for the guest; none where no test is run.
    pub bpftool: Option<PathBuf>,
    /// A `test_progs` of the kernel's tree; where there is one, its tests are run instead of tests.
    pub test_progs: Option<PathBuf>,
    /// Only the tests whose name matches this regular expression.
    pub filter: Option<String>,
    /// `console.log` and `channel.raw` are written here while the guest runs.
    pub run_dir: PathBuf,
    /// CPUs of the guest.
    pub cpus: u32,
    /// Whether the guest's clock counts instructions, a nanosecond each: then what it measures does not
    /// depend on how fast the machine is. Only software emulation can, and only with one CPU is it exact.
    pub icount: bool,
    /// How long each stage may take.
    pub timeouts: Timeouts,
    /// How many times longer everything may take in this one.
    pub patience: u32,
    /// How long a stress test goes on.
    pub stress: Duration,
    /// Who reads the streams of a test that is only run and read.
    pub reader: Reader,
    /// The programs that boot the guest.
    pub tools: Tools,
}

/// Who reads the streams of a test that is only run and read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reader {
    /// The agent, by libbpf.
    #[default]
    Agent,
    /// `bpftool prog tracelog`, which the agent calls.
    Bpftool,
}

/// Enough for programs and readers that run at the same time.
pub const CPUS: u32 = 2;

/// As many as `kernel-config/base.config` lets a kernel have.
pub const MOST_CPUS: u32 = 8;

/// How long a stress test goes on where nobody asked for more: a run is to be quick.
pub const STRESS: Duration = Duration::from_secs(1);

/// What was recorded of a run.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// The lines that the guest wrote, in their order.
    pub lines: Vec<RawLine>,
    /// Everything that came over the console, QEMU's own complaints included.
    pub console: Vec<u8>,
    /// How the guest ended.
    pub end: HowEnded,
    /// How the guest's instructions were run.
    pub accelerator: Accel,
    /// Version of QEMU, as it says itself.
    pub qemu_version: String,
    /// Version of virtme-ng.
    pub virtme_version: String,
    /// From the start of virtme-ng to the end of the guest.
    pub time: Duration,
    /// From the start of virtme-ng to the agent's first line.
    pub boot: Option<Duration>,
}

/// A line as it was received, with its `\n` if it had one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLine(pub Vec<u8>);
