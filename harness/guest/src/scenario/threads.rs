// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Several threads that begin at the same time.

use std::sync::Barrier;
use std::thread;

use anyhow::{Result, anyhow};

/// Does every work in a thread of its own, all let go at once; gives what each gave.
pub fn at_once<T: Send, W: FnOnce() -> Result<T> + Send>(works: Vec<W>) -> Result<Vec<T>> {
    let start = Barrier::new(works.len());
    thread::scope(|scope| {
        let threads: Vec<_> = works
            .into_iter()
            .map(|work| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    work()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
            .collect()
    })
}
