// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Checks that KCSAN, if the kernel has it, is active.

use std::fs;

const FILE: &str = "/sys/kernel/debug/kcsan";

/// Prints a warning to the console if KCSAN has not watched any access: other checkers disable
/// KCSAN, and a kernel may have been built with no file to watch. The host searches for this text
/// (`ci/splats.toml`).
pub fn warn_if_inactive() {
    if fs::read_to_string(FILE).is_ok_and(|state| is_inactive(&state)) {
        eprintln!("bpf-streams-guest: KCSAN has not watched a single access ({FILE})");
    }
}

fn is_inactive(state: &str) -> bool {
    let value = |name: &str| {
        state
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(key, value)| (key == name).then(|| value.trim()))
    };
    value("enabled") != Some("1") || value("setup_watchpoints").is_none_or(|count| count == "0")
}

#[cfg(test)]
mod tests {
    use super::is_inactive;

    #[test]
    fn kcsan_is_active_if_it_is_enabled_and_has_set_watchpoints() {
        let state = |on, count| {
            format!(
                "enabled: {on}\nused_watchpoints: 0\nsetup_watchpoints: {count}\ndata_races: 0\n"
            )
        };
        assert!(!is_inactive(&state(1, 77)));
        assert!(is_inactive(&state(0, 77)) && is_inactive(&state(1, 0)) && is_inactive(""));
    }
}
