// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What a test does beyond "load, run, read": `__scenario(name)`, a file each.
//!
//! A scenario loads the test itself, does with it what its file says, and leaves what it saw in
//! [`Output`]: text of the streams, and notes. Notes stand in the snapshot, so they are the same in
//! every run; what must not be is an error.

use anyhow::{Context, Result};

use crate::channel::Channel;
use crate::discover::Test;
use crate::load::{self, Loaded};
use crate::test::Output;
use crate::test_spec::TestSpec;

mod bad_reads;
mod bench;
mod bpftool;
mod buffer_across_fault;
mod cpu_contention;
pub mod cpu_hotplug;
pub mod cpus;
mod cycles;
mod each_cpu;
mod extension;
mod fail_nth;
mod fail_page_alloc;
mod fill_and_drain;
mod follower;
mod forged_comm;
mod freed;
mod instructions;
mod interrupted;
mod kfunc_reader;
mod limit_4096;
mod limit_bounds;
mod line_count;
mod lines;
mod load_insns;
mod load_only;
mod load_remove;
mod lock_torture;
mod lower_limit;
mod memory;
mod memory_of_text;
mod nmi;
mod nmi_on_top;
mod other_progs;
mod parallel_reports;
mod plain;
mod poll;
mod preemption;
mod read_while_writing;
mod refusals;
mod reports;
mod scale;
mod second_fd;
mod several_readers;
mod several_writers;
mod short_reads;
mod stress;
mod tally_reports;
mod threads;
mod while_reading;
mod without_perfmon;

/// Plays a test; gives what the program returned, where somebody gets to know.
pub type Scenario = fn(&mut TestCtx<'_>) -> Result<Option<i64>>;

/// Every scenario, by the name that a test says.
const SCENARIOS: &[(&str, Scenario)] = &[
    ("bad_reads", bad_reads::run),
    ("bench", bench::run),
    ("bench_backlog", bench::run_backlog),
    ("bench_reads_of_4k", |ctx| bench::run_reads(ctx, 4 << 10)),
    ("bench_reads_of_64k", |ctx| bench::run_reads(ctx, 64 << 10)),
    ("bpftool", bpftool::run),
    ("bpftool_busy", bpftool::busy::run),
    ("bpftool_counts", bpftool::counts::run),
    ("bpftool_counts_followed", bpftool::counts::run_followed),
    ("bpftool_follow_batch", bpftool::follow::run_batch),
    ("bpftool_follow_by_pin", bpftool::follow::run_by_pin),
    ("bpftool_follow_gone", bpftool::follow::run_gone),
    ("bpftool_follow_signals", bpftool::follow::run_signals),
    ("bpftool_gone", bpftool::refused::run_gone),
    ("bpftool_help", bpftool::run_help),
    ("bpftool_json", bpftool::run_json),
    ("bpftool_long_line", bpftool::run_long_line),
    ("bpftool_names", bpftool::run_names),
    ("bpftool_refused", bpftool::refused::run),
    ("bpftool_several", bpftool::refused::run_several),
    (
        "bpftool_without_rights",
        bpftool::refused::run_without_rights,
    ),
    ("buffer_across_fault", buffer_across_fault::run),
    ("bytewise", |ctx| short_reads::run(ctx, 1)),
    ("cpu_contention", cpu_contention::run),
    ("cycles", cycles::run),
    ("cycles_reports", |ctx| {
        tally_reports::after(ctx, cycles::run)
    }),
    ("kfunc_reader", kfunc_reader::run),
    ("kfunc_reader_by_turns", kfunc_reader::run_by_turns),
    ("kfunc_reader_reports", kfunc_reader::run_reports),
    ("kfunc_reader_while_read", kfunc_reader::run_shared),
    ("fail_nth", fail_nth::run),
    ("each_cpu", each_cpu::run),
    ("each_cpu_queued", each_cpu::run_queued),
    ("each_cpu_unheard", each_cpu::run_unheard),
    ("extension", extension::run),
    ("fill_and_drain", fill_and_drain::run),
    ("follower", follower::run),
    ("follower_bpftool", follower::run_bpftool),
    ("freed_attached", freed::run_attached),
    ("freed_cgroup", freed::run_cgroup),
    ("freed_entry", freed::run_entry),
    ("freed_entry_silent", freed::run_entry_silent),
    ("freed_timer", freed::run_timer),
    ("freed_work", freed::run_work),
    ("freed_xdp", freed::run_xdp),
    ("instructions", instructions::run),
    ("interrupted", interrupted::run),
    ("limit_4096", limit_4096::run),
    ("limit_bounds", limit_bounds::run),
    ("load_only", load_only::run),
    ("load_remove", load_remove::run),
    ("lock_torture", lock_torture::run),
    ("lock_torture_nmi", lock_torture::run_with_nmis),
    ("lower_limit", lower_limit::run),
    ("preemption", preemption::run),
    ("memory_of_text", memory_of_text::run),
    ("nmi", nmi::run),
    ("nmi_on_top", nmi_on_top::run),
    ("nmi_reports", |ctx| tally_reports::after(ctx, nmi::run)),
    ("fail_page_alloc", fail_page_alloc::run),
    ("forged_comm", forged_comm::run),
    ("other_progs", other_progs::run),
    ("parallel_reports", parallel_reports::run),
    ("piecewise", |ctx| short_reads::run(ctx, 5)),
    ("plugged_in", cpu_hotplug::run_plugged_in),
    ("read_while_writing", read_while_writing::run),
    ("refusals", refusals::run),
    ("refusals_busy", |ctx| refusals::run_as_told(ctx, "busy")),
    ("refusals_nomem", |ctx| refusals::run_as_told(ctx, "nomem")),
    ("refusals_within_4096", refusals::run_within_4096),
    ("reports", reports::run),
    ("reports_while_reading", parallel_reports::run_while_reading),
    ("reports_within_4096", reports::run_within_4096),
    ("scale_memory", scale::run_memory),
    ("scale_one_stream", scale::run_one_stream),
    ("scale_own_streams", scale::run_own_streams),
    ("second_fd", second_fd::run),
    ("several_readers", several_readers::run),
    ("several_writers", several_writers::run),
    ("stress", stress::run),
    ("stress_without_memory", stress::run_without_memory),
    ("line_count", line_count::run),
    ("too_long_reads", bad_reads::run_too_long),
    ("cpu_hotplug", cpu_hotplug::run),
    ("poll_crowd", poll::crowd::run),
    ("poll_edge", poll::edge::run),
    ("poll_freed", poll::freed::run),
    ("poll_late", poll::late::run),
    ("poll_nmi", poll::nmi::run),
    ("poll_states", poll::states::run),
    ("poll_wake_ups", poll::wake_ups::run),
    ("while_reading", while_reading::run),
    ("without_perfmon", without_perfmon::run),
];

/// What a scenario works with.
pub struct TestCtx<'a> {
    /// The test that is played.
    pub test: &'a Test,
    /// What it asks for.
    pub spec: &'a TestSpec,
    /// The way to the host, for what only it can do.
    pub channel: &'a mut Channel,
    /// What was seen; it stays when the scenario fails half-way.
    pub seen: &'a mut Output,
}

impl TestCtx<'_> {
    /// Loads the test.
    pub fn load(&self) -> Result<Loaded> {
        load::load(self.test, self.spec)
    }

    /// Notes a line for the snapshot.
    pub fn note(&mut self, line: impl Into<String>) {
        self.seen.notes.push(line.into());
    }
}

/// The scenario of that name, or the plain one.
pub fn find(name: Option<&str>) -> Result<Scenario> {
    let Some(name) = name else {
        return Ok(plain::run);
    };
    SCENARIOS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, scenario)| *scenario)
        .with_context(|| format!("the agent knows no scenario `{name}`; see guest/src/scenario.rs"))
}
