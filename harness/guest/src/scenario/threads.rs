// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Several threads that begin at the same time.

use std::sync::Barrier;
use std::thread;

use anyhow::{Result, anyhow};

/// Does every task in a thread of its own, all let go at once; gives what each gave.
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
