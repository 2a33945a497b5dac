// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Captures libbpf's log: often the only text that names the cause of an error.

use std::sync::{Mutex, PoisonError};

use libbpf_rs::PrintLevel;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on, keeps libbpf's warnings instead of printing them.
pub fn capture() {
    libbpf_rs::set_print(Some((PrintLevel::Warn, |_, line| {
        LINES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line.trim_end().to_owned());
    })));
}

/// Takes the lines that libbpf has logged since the last call.
pub fn take() -> Vec<String> {
    std::mem::take(&mut *LINES.lock().unwrap_or_else(PoisonError::into_inner))
}
