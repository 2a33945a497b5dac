// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Whether the kernel's lock validator, where there is one, is still at work.

use std::fs;

const FILE: &str = "/proc/lockdep_stats";

/// Says so on the console where it has switched itself off, as it does for want of room or after its
/// first report: it tells that to the kernel's log only, and later it would find nothing. The host
/// looks for these words (`ci/splats.toml`).
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
    fn it_is_off_when_the_kernel_says_so() {
        let stats = |value| format!(" lock-classes:  1203 [max: 8192]\n debug_locks:  {value}\n");
        assert!(is_off(&stats(0)));
        assert!(!is_off(&stats(1)) && !is_off(""));
    }
}
