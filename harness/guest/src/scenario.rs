// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What a case does beyond "load, run, read": `__scenario(name)`, a file each.
//!
//! A scenario loads the case itself, does with it what its file says, and leaves what it saw in
//! [`Seen`]: text of the streams, and notes. Notes stand in the snapshot, so they are the same in
//! every run; what must not be is an error.

use anyhow::{Context, Result};

use crate::case::Seen;
use crate::catalogue::Case;
use crate::channel::Channel;
use crate::load::{self, Loaded};
use crate::wishes::Wishes;

mod bad_reads;
mod bench;
mod bpftool;
mod buffer_across_fault;
mod copy;
pub mod cpus;
mod crowded;
mod cycles;
mod drained;
mod each_allocation;
mod each_cpu;
mod extension;
mod fill_and_drain;
mod follower;
mod freed;
mod instructions;
mod interrupted;
mod limit_4096;
mod limit_bounds;
mod lines;
mod load_only;
mod load_remove;
mod lock_torture;
mod lower_limit;
mod meanwhile;
mod memory;
mod memory_of_text;
mod nmi;
mod nmi_on_top;
mod no_pages;
mod odd_comm;
mod others;
mod parallel_reports;
mod pieces;
mod plain;
mod read_while_writing;
mod refusals;
mod reports;
mod scale;
mod second_fd;
mod several_readers;
mod several_writers;
mod stress;
mod tally;
mod tally_reports;
mod threads;
pub mod unplugged;
mod waiting;
mod while_reading;
mod without_perfmon;

/// Plays a case; gives what the program returned, where somebody gets to know.
pub type Scenario = fn(&mut Stage<'_>) -> Result<Option<i64>>;

/// Every scenario, by the name that a case says.
const SCENARIOS: &[(&str, Scenario)] = &[
    ("bad_reads", bad_reads::play),
    ("bench", bench::play),
    ("bench_backlog", bench::play_backlog),
    ("bench_reads_of_4k", |stage| {
        bench::play_reads(stage, 4 << 10)
    }),
    ("bench_reads_of_64k", |stage| {
        bench::play_reads(stage, 64 << 10)
    }),
    ("bpftool", bpftool::play),
    ("bpftool_busy", bpftool::busy::play),
    ("bpftool_counts", bpftool::counts::play),
    ("bpftool_counts_followed", bpftool::counts::play_followed),
    ("bpftool_follow_batch", bpftool::follow::play_batch),
    ("bpftool_follow_by_pin", bpftool::follow::play_by_pin),
    ("bpftool_follow_gone", bpftool::follow::play_gone),
    ("bpftool_follow_signals", bpftool::follow::play_signals),
    ("bpftool_gone", bpftool::refused::play_gone),
    ("bpftool_help", bpftool::play_help),
    ("bpftool_json", bpftool::play_json),
    ("bpftool_long_line", bpftool::play_long_line),
    ("bpftool_names", bpftool::play_names),
    ("bpftool_refused", bpftool::refused::play),
    ("bpftool_several", bpftool::refused::play_several),
    (
        "bpftool_without_rights",
        bpftool::refused::play_without_rights,
    ),
    ("buffer_across_fault", buffer_across_fault::play),
    ("bytewise", |stage| pieces::play(stage, 1)),
    ("crowded", crowded::play),
    ("cycles", cycles::play),
    ("cycles_reports", |stage| {
        tally_reports::after(stage, cycles::play)
    }),
    ("drained", drained::play),
    ("drained_by_turns", drained::play_by_turns),
    ("drained_reports", drained::play_reports),
    ("drained_while_read", drained::play_shared),
    ("each_allocation", each_allocation::play),
    ("each_cpu", each_cpu::play),
    ("each_cpu_queued", each_cpu::play_queued),
    ("each_cpu_unheard", each_cpu::play_unheard),
    ("extension", extension::play),
    ("fill_and_drain", fill_and_drain::play),
    ("follower", follower::play),
    ("follower_bpftool", follower::play_bpftool),
    ("freed_attached", freed::play_attached),
    ("freed_cgroup", freed::play_cgroup),
    ("freed_entry", freed::play_entry),
    ("freed_entry_silent", freed::play_entry_silent),
    ("freed_timer", freed::play_timer),
    ("freed_work", freed::play_work),
    ("freed_xdp", freed::play_xdp),
    ("instructions", instructions::play),
    ("interrupted", interrupted::play),
    ("limit_4096", limit_4096::play),
    ("limit_bounds", limit_bounds::play),
    ("load_only", load_only::play),
    ("load_remove", load_remove::play),
    ("lock_torture", lock_torture::play),
    ("lock_torture_nmi", lock_torture::play_with_nmis),
    ("lower_limit", lower_limit::play),
    ("meanwhile", meanwhile::play),
    ("memory_of_text", memory_of_text::play),
    ("nmi", nmi::play),
    ("nmi_on_top", nmi_on_top::play),
    ("nmi_reports", |stage| {
        tally_reports::after(stage, nmi::play)
    }),
    ("no_pages", no_pages::play),
    ("odd_comm", odd_comm::play),
    ("others", others::play),
    ("parallel_reports", parallel_reports::play),
    ("piecewise", |stage| pieces::play(stage, 5)),
    ("plugged_in", unplugged::play_plugged_in),
    ("read_while_writing", read_while_writing::play),
    ("refusals", refusals::play),
    ("refusals_busy", |stage| {
        refusals::play_as_told(stage, "busy")
    }),
    ("refusals_nomem", |stage| {
        refusals::play_as_told(stage, "nomem")
    }),
    ("refusals_within_4096", refusals::play_within_4096),
    ("reports", reports::play),
    (
        "reports_while_reading",
        parallel_reports::play_while_reading,
    ),
    ("reports_within_4096", reports::play_within_4096),
    ("scale_memory", scale::play_memory),
    ("scale_one_stream", scale::play_one_stream),
    ("scale_own_streams", scale::play_own_streams),
    ("second_fd", second_fd::play),
    ("several_readers", several_readers::play),
    ("several_writers", several_writers::play),
    ("stress", stress::play),
    ("stress_without_memory", stress::play_without_memory),
    ("tally", tally::play),
    ("too_long_reads", bad_reads::play_too_long),
    ("unplugged", unplugged::play),
    ("waiting_crowd", waiting::crowd::play),
    ("waiting_edge", waiting::edge::play),
    ("waiting_freed", waiting::freed::play),
    ("waiting_late", waiting::late::play),
    ("waiting_nmi", waiting::nmi::play),
    ("waiting_states", waiting::states::play),
    ("waiting_wake_ups", waiting::wake_ups::play),
    ("while_reading", while_reading::play),
    ("without_perfmon", without_perfmon::play),
];

/// What a scenario works with.
pub struct Stage<'a> {
    /// The case that is played.
    pub case: &'a Case,
    /// What it asks for.
    pub wishes: &'a Wishes,
    /// The way to the host, for what only it can do.
    pub channel: &'a mut Channel,
    /// What was seen; it stays when the scenario fails half-way.
    pub seen: &'a mut Seen,
}

impl Stage<'_> {
    /// Loads the case.
    pub fn load(&self) -> Result<Loaded> {
        load::load(self.case, self.wishes)
    }

    /// Notes a line for the snapshot.
    pub fn note(&mut self, line: impl Into<String>) {
        self.seen.notes.push(line.into());
    }
}

/// The scenario of that name, or the plain one.
pub fn find(name: Option<&str>) -> Result<Scenario> {
    let Some(name) = name else {
        return Ok(plain::play);
    };
    SCENARIOS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, scenario)| *scenario)
        .with_context(|| format!("the agent knows no scenario `{name}`; see guest/src/scenario.rs"))
}
