// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Places where a test ends a run, as `kill -9` would: between two writes to the user's tree.

/// A place where the run may die. Nothing happens here outside of the unit tests.
#[cfg(not(test))]
pub fn point() {}

#[cfg(test)]
pub use tests::{point, run_until};

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    thread_local! {
        static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// Dies where the test has said so.
    pub fn point() {
        match LEFT.get() {
            Some(0) => std::panic::resume_unwind(Box::new("killed")),
            left => LEFT.set(left.map(|left| left - 1)),
        }
    }

    /// Runs `run` until it has passed `points` places; nothing comes back where it died there.
    pub fn run_until<T>(points: usize, run: impl FnOnce() -> T) -> Option<T> {
        LEFT.set(Some(points));
        let outcome = catch_unwind(AssertUnwindSafe(run));
        LEFT.set(None);
        outcome.ok()
    }
}
