// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Scenarios: what a test does instead of "load, run, read". `__scenario(name)` selects one.
//!
//! A scenario loads the test itself and leaves the text of the streams and its notes in
//! [`Output`](crate::test_ctx::Output). Notes become part of the snapshot, so a scenario notes only
//! what is the same in every run.

use anyhow::{Context, Result};

use self::waiting::wake_ups::Wait;
use crate::test_ctx::Scenario;

mod bench;
mod blocked;
mod bpftool;
mod cpu_contention;
mod cpu_hotplug;
mod cycle_counter;
mod each_cpu;
mod fail_nth;
mod fail_page_alloc;
mod fdinfo_counts;
mod fill_and_drain;
mod follower;
mod forged_comm;
mod free_memory;
mod free_running;
mod freplace;
mod insn_count;
mod invalid_reads;
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
mod memory_bound;
mod nested_read;
mod nmi;
mod nmi_nested;
mod open_files;
mod other_progs;
mod parallel_reports;
mod partly_unmapped;
mod plain;
mod preemption;
mod read_each_run;
mod read_while_writing;
mod report_addresses;
mod report_rate;
mod reports;
mod rnd_hi32;
mod scale;
mod second_fd;
mod several_readers;
mod several_writers;
mod short_reads;
mod stream_fd;
mod stress;
mod tally_reports;
mod text_memory;
mod threads;
mod timer_interrupts;
mod waiting;
mod wanted;
mod without_perfmon;

/// Every scenario, by its name in `__scenario()`.
const SCENARIOS: &[(&str, Scenario)] = &[
    ("bench", bench::run),
    ("bench_backlog", bench::run_backlog),
    ("bench_reads_4k", |ctx| bench::run_reads(ctx, 4 << 10)),
    ("bench_reads_64k", |ctx| bench::run_reads(ctx, 64 << 10)),
    ("bpftool", bpftool::run),
    ("bpftool_ambiguous", bpftool::errors::run_ambiguous),
    ("bpftool_busy", bpftool::busy::run),
    ("bpftool_counts", bpftool::counts::run),
    ("bpftool_errors", bpftool::errors::run),
    ("bpftool_follow_batch", bpftool::follow::run_batch),
    ("bpftool_follow_counts", bpftool::counts::run_follow),
    ("bpftool_follow_freed_prog", bpftool::follow::run_freed_prog),
    ("bpftool_follow_pinned", bpftool::follow::run_pinned),
    ("bpftool_follow_several", bpftool::follow::run_several),
    ("bpftool_follow_signals", bpftool::follow::run_signals),
    ("bpftool_freed_prog", bpftool::errors::run_freed_prog),
    ("bpftool_help", bpftool::run_help),
    ("bpftool_json", bpftool::run_json),
    ("bpftool_long_line", bpftool::run_long_line),
    ("bpftool_prog_specs", bpftool::run_prog_specs),
    ("bpftool_unprivileged", bpftool::errors::run_unprivileged),
    ("cpu_contention", cpu_contention::run),
    ("cpu_offline", cpu_hotplug::run),
    ("cpu_online", cpu_hotplug::run_online),
    ("cycle_counter", cycle_counter::run),
    ("cycle_counter_reports", |ctx| {
        tally_reports::after(ctx, cycle_counter::run)
    }),
    ("each_cpu", each_cpu::run),
    ("each_cpu_count_only", each_cpu::run_count_only),
    ("each_cpu_queued", each_cpu::run_queued),
    ("fail_nth", fail_nth::run),
    ("fail_page_alloc", fail_page_alloc::run),
    ("fdinfo_busy", |ctx| {
        fdinfo_counts::run_and_compare(ctx, "busy")
    }),
    ("fdinfo_counts", fdinfo_counts::run),
    ("fdinfo_limit_4096", fdinfo_counts::run_within_4096),
    ("fdinfo_nomem", |ctx| {
        fdinfo_counts::run_and_compare(ctx, "nomem")
    }),
    ("fill_and_drain", fill_and_drain::run),
    ("follower", follower::run),
    ("follower_bpftool", follower::run_bpftool),
    ("forged_comm", forged_comm::run),
    ("free_running_attached", free_running::run_attached),
    ("free_running_cgroup", free_running::run_cgroup),
    ("free_running_prog_array", free_running::run_prog_array),
    (
        "free_running_prog_array_silent",
        free_running::run_prog_array_silent,
    ),
    ("free_running_timer", free_running::run_timer),
    ("free_running_wq", free_running::run_wq),
    ("free_running_xdp", free_running::run_xdp),
    ("freplace", freplace::run),
    ("insn_count", insn_count::run),
    ("invalid_read_lengths", invalid_reads::run_lengths),
    ("invalid_reads", invalid_reads::run),
    ("kfunc_reader", kfunc_reader::run),
    ("kfunc_reader_alternating", kfunc_reader::run_alternating),
    ("kfunc_reader_concurrent", kfunc_reader::run_concurrent),
    ("kfunc_reader_reports", kfunc_reader::run_reports),
    ("limit_4096", limit_4096::run),
    ("limit_bounds", limit_bounds::run),
    ("line_count", line_count::run),
    ("load_only", load_only::run),
    ("load_remove", load_remove::run),
    ("lock_torture", lock_torture::run),
    ("lock_torture_nmi", lock_torture::run_with_nmis),
    ("lower_limit", lower_limit::run),
    ("memory_bound", memory_bound::run),
    ("rnd_hi32", rnd_hi32::run),
    ("memory_bound_4096", memory_bound::run_4096),
    ("memory_bound_held", memory_bound::run_held),
    ("memory_bound_recycled", memory_bound::run_recycled),
    (
        "memory_bound_partial_reads",
        memory_bound::run_partial_reads,
    ),
    ("nested_read", nested_read::run),
    ("nmi", nmi::run),
    ("nmi_nested", nmi_nested::run),
    ("nmi_reports", |ctx| tally_reports::after(ctx, nmi::run)),
    ("other_progs", other_progs::run),
    ("parallel_reports", parallel_reports::run),
    ("partly_unmapped", partly_unmapped::run),
    ("preemption", preemption::run),
    ("read_each_run", read_each_run::run),
    ("read_part_each_run", read_each_run::run_part),
    ("read_while_writing", read_while_writing::run),
    ("report_addresses", report_addresses::run),
    (
        "report_addresses_with_token",
        report_addresses::run_with_token,
    ),
    ("report_lines", read_each_run::run_parallel),
    ("report_rate", report_rate::run),
    ("report_rate_freed", report_rate::run_freed),
    ("reports", reports::run),
    ("reports_limit_4096", reports::run_within_4096),
    ("reports_while_reading", parallel_reports::run_while_reading),
    ("scale_memory", scale::run_memory),
    ("scale_one_stream", scale::run_one_stream),
    ("scale_own_streams", scale::run_own_streams),
    ("second_fd", second_fd::run),
    ("several_readers", several_readers::run),
    ("several_writers", several_writers::run),
    ("short_reads_1", |ctx| short_reads::run(ctx, 1)),
    ("short_reads_5", |ctx| short_reads::run(ctx, 5)),
    ("stream_fd_blocking", stream_fd::blocking::run),
    ("stream_fd_blocking_silent", stream_fd::blocking::run_silent),
    ("stream_fd_blocking_two", stream_fd::blocking::run_two),
    ("stream_fd_by_btf", stream_fd::by_btf::run),
    ("stream_fd_end", stream_fd::end::run),
    ("stream_fd_end_silent", stream_fd::end::run_silent),
    ("stream_fd_errors", stream_fd::errors::run),
    ("stream_fd_fdinfo", stream_fd::properties::run_fdinfo),
    ("stream_fd_fork", stream_fd::fork::run),
    ("stream_fd_io_uring", stream_fd::io_uring::run),
    ("stream_fd_killed", stream_fd::killed::run),
    ("stream_fd_lengths", stream_fd::reads::run_lengths),
    ("stream_fd_memory", stream_fd::memory::run),
    ("stream_fd_properties", stream_fd::properties::run),
    ("stream_fd_reads", stream_fd::reads::run),
    ("stream_fd_removed", stream_fd::removed::run),
    ("stream_fd_shared", stream_fd::shared::run),
    ("stream_fd_socket", stream_fd::socket::run),
    ("stream_fd_user_namespace", stream_fd::user_namespace::run),
    ("stream_fd_vectors", stream_fd::reads::run_vectors),
    ("stress", stress::run),
    ("stress_alloc_failures", stress::run_alloc_failures),
    ("text_memory", text_memory::run),
    ("timer_interrupts", timer_interrupts::run),
    ("waiting_after_print", waiting::after_print::run),
    ("waiting_drain_loop", waiting::drain_loop::run),
    ("waiting_edge", waiting::edge::run),
    ("waiting_empty_print", waiting::empty_print::run),
    ("waiting_hang_up", waiting::hang_up::run),
    ("waiting_many_waiters", waiting::many_waiters::run),
    ("waiting_nested", waiting::nested::run),
    ("waiting_nmi", waiting::nmi::run),
    ("waiting_prog_fd", waiting::prog_fd::run),
    ("waiting_prog_free", waiting::prog_free::run),
    ("waiting_states", waiting::states::run),
    ("waiting_wake_ups", |ctx| {
        waiting::wake_ups::run(ctx, Wait::Edge)
    }),
    ("waiting_wake_ups_poll", |ctx| {
        waiting::wake_ups::run(ctx, Wait::Poll)
    }),
    ("waiting_wake_ups_read", |ctx| {
        waiting::wake_ups::run(ctx, Wait::Read)
    }),
    ("without_perfmon", without_perfmon::run),
];

/// The scenario of that name; the plain one for `None`.
pub fn find(name: Option<&str>) -> Result<Scenario> {
    let Some(name) = name else {
        return Ok(plain::run);
    };
    SCENARIOS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, scenario)| *scenario)
        .with_context(|| {
            format!("unknown scenario `{name}`; known scenarios are in guest/src/scenario.rs")
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use regex_lite::Regex;

    use super::SCENARIOS;

    /// Arguments of `__scenario()` in `selftests/` and its folders.
    fn used(dir: &Path, names: &mut BTreeSet<String>) {
        let attribute = Regex::new(r"__scenario\((\w+)\)").unwrap();
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                used(&path, names);
            } else if path.to_string_lossy().ends_with(".bpf.c") {
                let source = fs::read_to_string(&path).unwrap();
                names.extend(attribute.captures_iter(&source).map(|c| c[1].to_owned()));
            }
        }
    }

    #[test]
    fn the_table_holds_exactly_the_scenarios_that_the_selftests_name() {
        let mut names = BTreeSet::new();
        let selftests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../selftests");
        used(&selftests, &mut names);
        let known = SCENARIOS.iter().map(|(name, _)| (*name).to_owned());
        assert_eq!(names, known.collect());
    }
}
