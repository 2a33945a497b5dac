// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs a loaded program in the way that its type requires.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use anyhow::{Context, Result};
use libbpf_rs::{
    Iter, IterOpts, Link, ProgramAttachType, ProgramInput as Input, ProgramMut, ProgramType,
    libbpf_sys,
};

use crate::trigger;

/// Input of programs that process packets: Ethernet, IPv4 and UDP headers from 192.0.2.1 to
/// 192.0.2.2, and a few bytes of data.
const PACKET: [u8; 64] = {
    let mut packet = [0; 64];
    packet[12] = 0x08; // IPv4
    packet[14] = 0x45; // version 4, header of five words
    packet[17] = 50; // length without the Ethernet header
    packet[22] = 64; // time to live
    packet[23] = 17; // UDP
    packet[26] = 192;
    packet[28] = 2;
    packet[29] = 1;
    packet[30] = 192;
    packet[32] = 2;
    packet[33] = 2;
    packet[39] = 30; // length of the UDP datagram
    packet
};

/// How programs of a type are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunMethod {
    /// `BPF_PROG_TEST_RUN` without input.
    Plain,
    /// `BPF_PROG_TEST_RUN` with [`PACKET`].
    Packet,
    /// `BPF_PROG_TEST_RUN` with a context of this many 64-bit zeros.
    Zeros(usize),
    /// Attach the program, then call the trigger.
    Attach,
    /// Attach the program, then read the iterator to its end.
    Iterate,
}

/// The method of each type; a type that is not listed is attached.
const RUN_METHODS: &[(ProgramType, RunMethod)] = &[
    (ProgramType::Syscall, RunMethod::Plain),
    (ProgramType::SchedCls, RunMethod::Packet),
    (ProgramType::SchedAct, RunMethod::Packet),
    (ProgramType::Xdp, RunMethod::Packet),
    (ProgramType::SocketFilter, RunMethod::Packet),
    (ProgramType::CgroupSkb, RunMethod::Packet),
    (ProgramType::FlowDissector, RunMethod::Packet),
    // the maximum for a raw tracepoint
    (ProgramType::RawTracepoint, RunMethod::Zeros(12)),
    // the only argument of the test operations, NULL
    (ProgramType::StructOps, RunMethod::Zeros(1)),
];

/// Result of a run.
pub struct Run {
    /// The program's return value; `None` if the kernel does not report it.
    pub retval: Option<i64>,
    /// The attachment. Dropping it detaches the program.
    pub link: Option<Link>,
}

/// Runs the program `times` times. If a trigger is named, the program is attached whatever its
/// type.
pub fn run(program: &ProgramMut<'_>, times: u32, trigger: Option<&str>) -> Result<Run> {
    match run_method(program, trigger) {
        RunMethod::Plain => test_runs(program, times, Input::default),
        RunMethod::Packet => test_runs(program, times, || Input {
            data_in: Some(&PACKET),
            ..Input::default()
        }),
        RunMethod::Zeros(count) => {
            let mut context = vec![0; count * size_of::<u64>()];
            let retval = (0..times).try_fold(None, |_, _| {
                test_run(
                    program,
                    Input {
                        context_in: Some(&mut context),
                        ..Input::default()
                    },
                )
                .map(Some)
            })?;
            Ok(Run { retval, link: None })
        }
        RunMethod::Attach => {
            let link = attach(program)?;
            let trigger = trigger::find(trigger.unwrap_or(trigger::DEFAULT))?;
            (0..times).try_for_each(|_| trigger())?;
            Ok(Run {
                retval: None,
                link: Some(link),
            })
        }
        RunMethod::Iterate => {
            let link = attach(program)?;
            (0..times).try_for_each(|_| iterate(&link))?;
            Ok(Run {
                retval: None,
                link: Some(link),
            })
        }
    }
}

/// Runs a `syscall` program once by its fd, which threads can share.
pub fn run_fd(program: BorrowedFd<'_>) -> Result<i64> {
    run_fd_with(program, &mut [0_u32; 0])
}

/// As [`run_fd`], with a context of plain numbers, which the program may change.
pub fn run_fd_with<C: Copy>(program: BorrowedFd<'_>, context: &mut C) -> Result<i64> {
    let mut options = libbpf_sys::bpf_test_run_opts {
        sz: size_of::<libbpf_sys::bpf_test_run_opts>() as libbpf_sys::size_t,
        ..Default::default()
    };
    if size_of::<C>() > 0 {
        options.ctx_in = (&raw mut *context).cast();
        options.ctx_size_in = u32::try_from(size_of::<C>())?;
    }
    test_run_fd(program, &mut options)
}

/// Runs a program that processes packets once with [`PACKET`], by its fd, which threads can share.
pub fn run_fd_on_packet(program: BorrowedFd<'_>) -> Result<i64> {
    let mut options = libbpf_sys::bpf_test_run_opts {
        sz: size_of::<libbpf_sys::bpf_test_run_opts>() as libbpf_sys::size_t,
        data_in: PACKET.as_ptr().cast(),
        data_size_in: u32::try_from(PACKET.len())?,
        ..Default::default()
    };
    test_run_fd(program, &mut options)
}

fn test_run_fd(
    program: BorrowedFd<'_>,
    options: &mut libbpf_sys::bpf_test_run_opts,
) -> Result<i64> {
    // SAFETY: the options and the buffers that they point to are valid for the call.
    let ret = unsafe { libbpf_sys::bpf_prog_test_run_opts(program.as_raw_fd(), &raw mut *options) };
    if ret < 0 {
        return Err(io::Error::from_raw_os_error(-ret)).context("cannot run the program");
    }
    Ok(signed(options.retval))
}

/// Attaches the program if its type is attached to run; other types only have to be loaded.
pub fn attach_if_attachable(program: &ProgramMut<'_>) -> Result<Option<Link>> {
    match run_method(program, None) {
        RunMethod::Attach => attach(program).map(Some),
        _ => Ok(None),
    }
}

/// Attaches the program as its section's name says.
pub fn attach(program: &ProgramMut<'_>) -> Result<Link> {
    if run_method(program, None) == RunMethod::Iterate {
        return program
            .attach_iter_with_opts(IterOpts::None)
            .context("cannot attach the iterator");
    }
    let section = program.section().to_string_lossy();
    program
        .attach()
        .with_context(|| format!("cannot attach the program ({section})"))
}

fn run_method(program: &ProgramMut<'_>, trigger: Option<&str>) -> RunMethod {
    if matches!(program.attach_type(), ProgramAttachType::TraceIter) {
        return RunMethod::Iterate;
    }
    if trigger.is_some() {
        return RunMethod::Attach;
    }
    RUN_METHODS
        .iter()
        .find(|(kind, _)| *kind == program.prog_type())
        .map_or(RunMethod::Attach, |(_, method)| *method)
}

fn test_runs<'dat>(
    program: &ProgramMut<'_>,
    times: u32,
    input: impl Fn() -> Input<'dat>,
) -> Result<Run> {
    let retval = (0..times).try_fold(None, |_, _| test_run(program, input()).map(Some))?;
    Ok(Run { retval, link: None })
}

fn test_run(program: &ProgramMut<'_>, input: Input<'_>) -> Result<i64> {
    let output = program.test_run(input).context("cannot run the program")?;
    Ok(signed(output.return_value))
}

/// The kernel's field is unsigned, but programs return a signed int.
fn signed(retval: u32) -> i64 {
    i64::from(retval as i32)
}

fn iterate(link: &Link) -> Result<()> {
    let mut iterator = Iter::new(link).context("cannot open the iterator")?;
    io::copy(&mut iterator, &mut io::sink()).context("cannot read the iterator")?;
    Ok(())
}
