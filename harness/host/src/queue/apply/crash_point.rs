// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Points between two writes to the user's tree, at which a test ends a run as `kill -9` would.

/// A point at which a test can end the run; does nothing outside of unit tests.
#[cfg(not(test))]
pub fn crash_point() {}

#[cfg(test)]
pub use tests::{crash_point, run_until};

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    thread_local! {
        static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// Ends the run if this is the point that the test has chosen.
    pub fn crash_point() {
        match LEFT.get() {
            Some(0) => std::panic::resume_unwind(Box::new("killed")),
            left => LEFT.set(left.map(|left| left - 1)),
        }
    }

    /// Ends `run` at the crash point after the first `points`; returns `None` if it got there.
    pub fn run_until<T>(points: usize, run: impl FnOnce() -> T) -> Option<T> {
        LEFT.set(Some(points));
        let outcome = catch_unwind(AssertUnwindSafe(run));
        LEFT.set(None);
        outcome.ok()
    }
}
