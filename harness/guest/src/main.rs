// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The guest agent: discovers the tests in BPF objects, runs each alone, and reports the raw
//! results. The host decides whether they are right.

use std::process::ExitCode;

use anyhow::Result;

mod agent;
mod allocator;
mod args;
mod bpftool;
mod capability;
mod channel;
mod child;
mod cpus;
mod cycle_counter;
mod discover;
mod errno;
mod fault_injection;
mod fdinfo;
mod feature;
mod headroom;
#[cfg(test)]
mod imports;
mod kcsan;
mod kernel_btf;
mod kmemleak;
mod libbpf_log;
mod load;
mod lockdep;
mod poll;
mod prog_run;
mod rqspinlock_unfair;
mod scenario;
mod settings;
mod state_freq;
mod stream;
mod stream_fd;
mod sysctl;
mod test;
mod test_ctx;
mod test_progs;
mod test_spec;
mod trigger;
mod variables;
mod wait;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // there may be no channel, so the error goes to the console
            eprintln!("bpf-streams-guest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args = args::parse()?;
    settings::set(args.settings);
    allocator::keep_freed();
    if let Some(program) = &args.test_progs {
        return agent::run_test_progs(program);
    }
    libbpf_log::capture();
    let tests = discover::read(&args.objects, args.filter.as_ref())?;
    if args.list {
        tests
            .tests
            .iter()
            .for_each(|test| println!("{}", test.name));
        return Ok(());
    }
    agent::run(&tests)
}
