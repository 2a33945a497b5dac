// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Whether the kernel's search for data races, where there is one, is at work.

use std::fs;

const FILE: &str = "/sys/kernel/debug/kcsan";

/// Says so on the console where nothing was watched: KCSAN switches itself off with other checkers,
/// and a kernel may have been built with no file to watch. The host looks for these words
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
    fn it_is_blind_unless_it_is_on_and_has_watched() {
        let state = |on, count| {
            format!(
                "enabled: {on}\nused_watchpoints: 0\nsetup_watchpoints: {count}\ndata_races: 0\n"
            )
        };
        assert!(!is_inactive(&state(1, 77)));
        assert!(is_inactive(&state(0, 77)) && is_inactive(&state(1, 0)) && is_inactive(""));
    }
}
