// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Takes a panic as an answer. insta's asserting macro is its public way in, and it panics where
//! texts differ; for the harness that is one failed test among others.

use std::cell::Cell;
use std::panic::{self, UnwindSafe};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What `call` returns, or the message of its panic, which is not printed.
pub(super) fn catch<T>(call: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    silence_this_threads_hook();
    QUIET.set(true);
    let result = panic::catch_unwind(call);
    QUIET.set(false);
    result.map_err(|payload| match payload.downcast_ref::<String>() {
        Some(message) => message.clone(),
        None => payload
            .downcast_ref::<&str>()
            .copied()
            .unwrap_or("a panic without a message")
            .to_owned(),
    })
}

/// The hook belongs to the process, so it is replaced once, by one that asks the thread.
fn silence_this_threads_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(catch(|| 1), Ok(1));
        assert_eq!(catch(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        assert_eq!(catch(|| panic!("{}", 7)), Err::<(), _>("7".to_owned()));
        assert!(!QUIET.get());
    }
}
