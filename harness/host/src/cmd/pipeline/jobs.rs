// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! How many guests a run has by default.

use std::fs;
use std::time::Duration;

use regex::Regex;

use crate::env::context::PLAIN;
use crate::vm::machine::Times;

/// Memory of this machine that a guest with a plain kernel needs, in KiB. The host allocates what the guest
/// uses.
const MEMORY_KIB: u64 = 2 << 20;

/// Most guests.
const MOST: usize = 8;

/// A further guest boots only if the tests take at least this long, which is about what it costs.
const WORTH: Duration = Duration::from_secs(4);

/// The number of guests for the tests that match `filter`, with the kernel configuration `config`, on this
/// machine.
pub(super) fn default(config: &str, times: &Times, filter: Option<&Regex>) -> usize {
    // debug kernels keep two cores and 3 GiB busy; several guests of them are not measured
    if config != PLAIN {
        return 1;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let by_memory = available_kib(&meminfo).map_or(1, |kib| kib / MEMORY_KIB);
    of(cores, by_memory, expected(times, filter))
}

/// How long the selected tests took in the last run; `None` if that is unknown for all of them.
fn expected(times: &Times, filter: Option<&Regex>) -> Option<Duration> {
    let selected = |test: &str| filter.is_none_or(|filter| filter.is_match(test));
    let selected: Vec<u64> = times
        .iter()
        .filter(|(test, _)| selected(test))
        .map(|(_, micros)| *micros)
        .collect();
    match (selected.is_empty(), filter) {
        (false, _) => Some(Duration::from_micros(selected.iter().sum())),
        // a selection that was never run is most often one new test
        (true, Some(_)) => Some(Duration::ZERO),
        (true, None) => None,
    }
}

fn of(cores: usize, by_memory: u64, expected: Option<Duration>) -> usize {
    let by_memory = usize::try_from(by_memory).unwrap_or(MOST);
    let by_time = expected.map_or(MOST, |time| {
        usize::try_from(time.as_millis() / WORTH.as_millis()).unwrap_or(MOST)
    });
    cores.min(by_memory).min(by_time).clamp(1, MOST)
}

/// `MemAvailable` of `/proc/meminfo`.
fn available_kib(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: u64 = 64;

    #[test]
    fn cores_memory_and_the_time_of_the_tests_limit_the_guests() {
        assert_eq!(of(2, PLENTY, None), 2);
        assert_eq!(of(64, PLENTY, None), MOST);
        assert_eq!(of(8, 2, None), 2);
        assert_eq!(of(8, 0, None), 1);
        assert_eq!(of(8, PLENTY, Some(Duration::from_secs(13))), 3);
        assert_eq!(of(8, PLENTY, Some(Duration::ZERO)), 1);
    }

    #[test]
    fn one_test_gets_one_guest() {
        let times: Times = [("a__x", 9_000_000), ("a__y", 1000)]
            .map(|(test, micros)| (test.to_owned(), micros))
            .into();
        let expected_of = |filter: &str| expected(&times, Some(&Regex::new(filter).unwrap()));
        assert_eq!(
            expected(&times, None),
            Some(Duration::from_micros(9_001_000))
        );
        assert_eq!(expected_of("y$"), Some(Duration::from_millis(1)));
        assert_eq!(expected_of("^new__"), Some(Duration::ZERO));
        assert_eq!(expected(&Times::new(), None), None);
    }

    #[test]
    fn the_available_memory_is_parsed() {
        let meminfo = "MemTotal:       24690000 kB\nMemAvailable:   23000000 kB\n";
        assert_eq!(available_kib(meminfo), Some(23_000_000));
        assert_eq!(available_kib("MemTotal: 1 kB\n"), None);
    }
}
