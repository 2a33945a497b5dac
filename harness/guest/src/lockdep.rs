// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Checks that lockdep, if the kernel has it, is still active.

use std::fs;

const FILE: &str = "/proc/lockdep_stats";

/// Prints a warning to the console if lockdep has disabled itself, after its first report or when
/// its tables are full. Lockdep then finds nothing more and only logs that it is off. The host
/// searches for this text (`ci/splats.toml`).
pub fn warn_if_off() {
    if fs::read_to_string(FILE).is_ok_and(|stats| is_off(&stats)) {
        eprintln!("bpf-streams-guest: lockdep is off ({FILE}: debug_locks is 0)");
    }
}

fn is_off(stats: &str) -> bool {
    stats
        .lines()
        .filter_map(|line| line.trim().strip_prefix("debug_locks:"))
        .any(|value| value.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::is_off;

    #[test]
    fn lockdep_is_off_if_debug_locks_is_0() {
        let stats = |value| format!(" lock-classes:  1203 [max: 8192]\n debug_locks:  {value}\n");
        assert!(is_off(&stats(0)));
        assert!(!is_off(&stats(1)) && !is_off(""));
    }
}
