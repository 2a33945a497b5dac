// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Threads that start at the same time.

use std::sync::Barrier;
use std::thread;

use anyhow::{Result, anyhow};

use crate::cpus;

/// Runs every task in its own thread, all started at the same time; returns their results in order.
pub fn run_parallel<T: Send, W: FnOnce() -> Result<T> + Send>(tasks: Vec<W>) -> Result<Vec<T>> {
    run(tasks.into_iter().map(|task| (None, task)).collect())
}

/// Runs every task on its CPU, all started at the same time; returns their results in order.
///
/// All threads are on their CPUs before the first task starts: a task that disables preemption and
/// waits for the others would keep a thread that is still on its CPU from moving to another one.
pub fn run_on_cpus<T: Send, W: FnOnce() -> Result<T> + Send>(
    tasks: Vec<(u32, W)>,
) -> Result<Vec<T>> {
    run(tasks
        .into_iter()
        .map(|(cpu, task)| (Some(cpu), task))
        .collect())
}

fn run<T: Send, W: FnOnce() -> Result<T> + Send>(tasks: Vec<(Option<u32>, W)>) -> Result<Vec<T>> {
    let start = Barrier::new(tasks.len());
    thread::scope(|scope| {
        let threads: Vec<_> = tasks
            .into_iter()
            .map(|(cpu, task)| {
                let start = &start;
                scope.spawn(move || {
                    let moved = cpu.map_or(Ok(()), cpus::stay_on);
                    // also after a failure, so that the others do not wait forever
                    start.wait();
                    moved.and_then(|()| task())
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
            .collect()
    })
}
