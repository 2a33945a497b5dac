// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Threads that start at the same time.

use std::sync::Barrier;
use std::thread;

use anyhow::{Result, anyhow};

/// Runs every task in its own thread, all started at the same time; returns their results in order.
pub fn run_parallel<T: Send, W: FnOnce() -> Result<T> + Send>(tasks: Vec<W>) -> Result<Vec<T>> {
    let start = Barrier::new(tasks.len());
    thread::scope(|scope| {
        let threads: Vec<_> = tasks
            .into_iter()
            .map(|task| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    task()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
            .collect()
    })
}
