// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What libbpf says, kept instead of printed: it is often the only text that tells a cause.

use std::sync::{Mutex, PoisonError};

use libbpf_rs::PrintLevel;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on libbpf's warnings are kept.
pub fn capture() {
    libbpf_rs::set_print(Some((PrintLevel::Warn, |_, line| {
        LINES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line.trim_end().to_owned());
    })));
}

/// Takes what libbpf has said since the last time.
pub fn take() -> Vec<String> {
    std::mem::take(&mut *LINES.lock().unwrap_or_else(PoisonError::into_inner))
}
