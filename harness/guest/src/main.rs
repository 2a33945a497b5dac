// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The guest agent: discovers the cases in BPF objects, runs each alone, and reports raw what it
//! did. It never judges.

use std::process::ExitCode;

use anyhow::Result;

mod agent;
mod args;
mod bpftool;
mod capability;
mod case;
mod catalogue;
mod channel;
mod cycles;
mod errno;
mod fault_injection;
mod fdinfo;
mod feature;
mod headroom;
mod kcsan;
mod kernel_btf;
mod kmemleak;
mod libbpf_log;
mod load;
mod lockdep;
mod memory;
mod poll;
mod queueing;
mod runner;
mod running;
mod scenario;
mod settings;
mod state_freq;
mod stream;
mod sysctl;
mod test_progs;
mod trigger;
mod variables;
mod wishes;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // the console is all that is left to say it on
            eprintln!("bpf-streams-guest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args = args::parse()?;
    settings::set(args.settings);
    memory::keep();
    if let Some(program) = &args.test_progs {
        return agent::run_test_progs(program);
    }
    libbpf_log::capture();
    let catalogue = catalogue::read(&args.objects, args.filter.as_ref())?;
    if args.list {
        catalogue
            .cases
            .iter()
            .for_each(|case| println!("{}", case.name));
        return Ok(());
    }
    agent::run(&catalogue)
}
