// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Searches the console of a guest for lines that fail a run, and for lines that must not be missing.
//!
//! The patterns are in `ci/splats.toml`, each with a reason and two samples.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

/// Lines of the console that fail a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splat {
    /// The matching patterns of `ci/splats.toml`.
    pub names: Vec<&'static str>,
    /// The meaning of the first matching line.
    pub reason: &'static str,
    /// The matching line and its context.
    pub excerpt: Vec<String>,
}

/// Lines in the excerpt of a splat, from the first matching line.
const EXCERPT: usize = 16;

/// Most lines between a message and its stack trace: the kernel prints CPU and machine in between.
const TRACE_WITHIN: usize = 4;

/// The splats on a console; lines that belong together are one splat.
#[must_use]
pub fn splats(console: &[u8]) -> Vec<Splat> {
    let lines = lines(console);
    let excepted = TABLE.excepted_traces(&lines);
    let is_splat =
        |index: &usize| !excepted.contains(index) && !TABLE.caught(&lines[*index]).is_empty();
    let mut found = Vec::new();
    let mut next = 0;
    while let Some(index) = (next..lines.len()).find(is_splat) {
        let end = lines.len().min(index + EXCERPT);
        found.push(TABLE.describe(&lines[index..end]));
        next = end;
    }
    found
}

/// A line that the console of a kernel with a feature must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingLine {
    /// The feature, as in `judge/feature.rs`.
    pub feature: &'static str,
    /// The pattern that no line matches.
    pub pattern: &'static str,
    /// What the missing line means.
    pub reason: &'static str,
}

/// The lines that are missing on the console of a kernel with these features.
#[must_use]
pub fn missing_lines(console: &[u8], features: &[&str]) -> Vec<MissingLine> {
    let required = TABLE.required.iter();
    let required = required.filter(|(_, line)| features.contains(&line.feature.as_str()));
    let lines = lines(console);
    let is_missing = |pattern: &Regex| {
        let mut messages = lines.iter().flat_map(|line| STAMP.split(line));
        !messages.any(|message| pattern.is_match(message))
    };
    required
        .filter(|(pattern, _)| is_missing(pattern))
        .map(|(_, line)| MissingLine {
            feature: &line.feature,
            pattern: &line.pattern,
            reason: &line.reason,
        })
        .collect()
}

/// The last `count` lines of a console.
#[must_use]
pub fn tail(console: &[u8], count: usize) -> Vec<String> {
    let mut lines = lines(console);
    lines.split_off(lines.len().saturating_sub(count))
}

/// The console as text: carriage returns and terminal codes dropped, empty lines too.
fn lines(console: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(console);
    let clean = TERMINAL_CODE.replace_all(&text, "");
    clean
        .split(['\n', '\r'])
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The name of the pattern that matches stack traces.
const STACK_TRACE: &str = "stack trace";

/// The compiled patterns of `ci/splats.toml`.
static TABLE: LazyLock<Patterns> = LazyLock::new(Patterns::load);

/// Escape sequences of a terminal: colours, cursor movements and titles.
static TERMINAL_CODE: LazyLock<Regex> =
    LazyLock::new(|| constant(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|c)"));

/// The time stamp, and the caller where the kernel prints it. An unfinished line of a program may
/// precede them.
static STAMP: LazyLock<Regex> = LazyLock::new(|| constant(r"\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? "));

struct Patterns {
    splats: Vec<(Regex, &'static Pattern)>,
    exceptions: Vec<(Regex, &'static SplatException)>,
    required: Vec<(Regex, &'static RequiredLine)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SplatsFile {
    splat: Vec<Pattern>,
    #[serde(default)]
    exception: Vec<SplatException>,
    #[serde(default)]
    required: Vec<RequiredLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(test), expect(dead_code, reason = "the tests read the samples"))]
struct Pattern {
    name: String,
    pattern: String,
    reason: String,
    sample: String,
    other: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the tests read the samples, people the reasons")
)]
struct SplatException {
    pattern: String,
    reason: String,
    sample: String,
    /// Whether the exception covers the stack trace after the line.
    #[serde(default)]
    trace: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(test), expect(dead_code, reason = "the tests read the samples"))]
struct RequiredLine {
    feature: String,
    pattern: String,
    reason: String,
    sample: String,
    other: String,
}

/// The file is compiled in, so a scan always has its patterns.
static FILE: LazyLock<SplatsFile> = LazyLock::new(read_file);

#[expect(
    clippy::expect_used,
    reason = "part of the program, parsed by its tests"
)]
fn read_file() -> SplatsFile {
    toml::from_str(include_str!("../../../../ci/splats.toml"))
        .expect("ci/splats.toml is TOML of this form")
}

impl Patterns {
    fn load() -> Self {
        Self {
            splats: FILE
                .splat
                .iter()
                .map(|entry| (constant(&entry.pattern), entry))
                .collect(),
            exceptions: FILE
                .exception
                .iter()
                .map(|exception| (constant(&exception.pattern), exception))
                .collect(),
            required: FILE
                .required
                .iter()
                .map(|line| (constant(&line.pattern), line))
                .collect(),
        }
    }

    /// The patterns that match a line of the console.
    fn caught(&self, line: &str) -> Vec<&'static Pattern> {
        let messages: Vec<&str> = STAMP
            .split(line)
            .filter(|message| self.exception(message).is_none())
            .collect();
        let catches = |pattern: &Regex| messages.iter().any(|message| pattern.is_match(message));
        self.splats
            .iter()
            .filter(|(pattern, _)| catches(pattern))
            .map(|&(_, entry)| entry)
            .collect()
    }

    /// The exception that matches a message.
    fn exception(&self, message: &str) -> Option<&'static SplatException> {
        let mut all = self.exceptions.iter();
        all.find(|(pattern, _)| pattern.is_match(message))
            .map(|&(_, exception)| exception)
    }

    /// The lines at which stack traces begin that exceptions cover.
    fn excepted_traces(&self, lines: &[String]) -> BTreeSet<usize> {
        let takes_trace = |line: &str| {
            STAMP
                .split(line)
                .any(|message| self.exception(message).is_some_and(|found| found.trace))
        };
        let begins_trace =
            |line: &str| matches!(self.caught(line)[..], [entry] if entry.name == STACK_TRACE);
        (0..lines.len())
            .filter(|&index| takes_trace(&lines[index]))
            .filter_map(|index| {
                let behind = index + 1..lines.len().min(index + 1 + TRACE_WITHIN);
                behind.into_iter().find(|&next| begins_trace(&lines[next]))
            })
            .collect()
    }

    fn describe(&self, excerpt: &[String]) -> Splat {
        let mut names = Vec::new();
        let mut reason = "";
        for entry in excerpt.iter().flat_map(|line| self.caught(line)) {
            if reason.is_empty() {
                reason = &entry.reason;
            }
            if !names.contains(&entry.name.as_str()) {
                names.push(entry.name.as_str());
            }
        }
        Splat {
            names,
            reason,
            excerpt: excerpt.to_vec(),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "part of the program, compiled by its tests"
)]
fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> Vec<&'static str> {
        TABLE
            .caught(line)
            .iter()
            .map(|entry| entry.name.as_str())
            .collect()
    }

    #[test]
    fn each_pattern_matches_its_sample_and_not_its_counterpart() {
        for (pattern, entry) in &TABLE.splats {
            assert!(
                pattern.is_match(&entry.sample),
                "{}: {}",
                entry.name,
                entry.sample
            );
            assert!(!entry.reason.is_empty());
            assert_eq!(
                names(&entry.other),
                [""; 0],
                "{}: {}",
                entry.name,
                entry.other
            );
        }
    }

    #[test]
    fn each_exception_covers_a_line_that_a_pattern_matches() {
        for (pattern, exception) in &TABLE.exceptions {
            assert!(!exception.reason.is_empty());
            assert!(pattern.is_match(&exception.sample), "{}", exception.sample);
            assert_eq!(names(&exception.sample), [""; 0], "{}", exception.sample);
            let is_splat = TABLE
                .splats
                .iter()
                .any(|(pattern, _)| pattern.is_match(&exception.sample));
            assert!(is_splat || exception.trace, "{}", exception.sample);
        }
    }

    #[test]
    fn each_required_line_is_missed_where_it_is_not() {
        for (_, line) in &TABLE.required {
            let missing = |console: &str, features: &[&str]| {
                let stamped = format!("[    0.000000] {console}\n[    1.000000] fine\n");
                missing_lines(stamped.as_bytes(), features)
            };
            let (feature, sample) = (line.feature.as_str(), line.sample.as_str());
            assert!(!line.reason.is_empty());
            assert_eq!(missing(sample, &[feature]), []);
            assert_eq!(missing(&line.other, &[feature]).len(), 1, "{feature}");
            assert_eq!(missing(&line.other, &["kmemleak"]), []);
            assert_eq!(names(sample), [""; 0], "{sample}");
        }
    }

    #[test]
    fn an_exception_covers_its_own_stack_trace_only() {
        let of = |text: &str| splats(text.as_bytes()).len();
        let refused = "agent: vmalloc error: size 4096, vm_struct allocation failed, mode:0x1\n";
        let trace = "CPU: 1 UID: 0 PID: 54\nHardware name: QEMU\nCall Trace:\n <TASK>\n";
        assert_eq!(of(&format!("{refused}{trace}")), 0);
        assert_eq!(of(trace), 1);
        assert_eq!(of(&format!("{refused}{trace}{trace}")), 1);
        assert_eq!(of(&format!("{refused}BUG: KASAN: x\n{trace}")), 1);
        let later = "fine\n".repeat(TRACE_WITHIN);
        assert_eq!(of(&format!("{refused}{later}Call Trace:\n")), 1);
    }

    #[test]
    fn every_kind_of_splat_is_found() {
        for line in [
            "WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2",
            "BUG: unable to handle page fault for address: ffffffff00000000",
            "Oops: 0002 [#1] SMP",
            "WARNING: inconsistent lock state",
            "BUG: KASAN: slab-out-of-bounds in f+0x1/0x2",
            "BUG: KCSAN: data-race in f / g",
            "UBSAN: shift-out-of-bounds in a.c:1:2",
            "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "INFO: task kworker/0:1:9 blocked for more than 120 seconds.",
            "BUG: scheduling while atomic: agent/77/0x00000002",
        ] {
            assert!(!names(line).is_empty(), "{line}");
        }
    }

    #[test]
    fn time_stamps_callers_unfinished_lines_and_terminal_codes_do_not_hide_a_splat() {
        for console in [
            "[    1.234567] WARNING: CPU: 0 PID: 1 at a.c:1\n",
            "[   12.345678][  T77] WARNING: CPU: 0 PID: 1 at a.c:1\n",
            "unfinished text[    1.234567] WARNING: CPU: 0 PID: 1 at a.c:1\r\n",
            "\x1b[31m[    1.234567] \x1b[0mWARNING: CPU: 0\n",
            "\r\rWARNING: early, without a stamp",
        ] {
            assert_eq!(splats(console.as_bytes()).len(), 1, "{console}");
        }
        assert_eq!(splats(b"\xff\xfe\n[    1.000000] BUG: x\xff\n").len(), 1);
    }

    #[test]
    fn lines_of_one_splat_are_grouped_with_all_names() {
        let mut console =
            b"[    1.000000] fine\n[    1.100000] BUG: KASAN: x\n[    1.100001] Call Trace:\n"
                .to_vec();
        console.extend("[    2.000000] fine\n".repeat(20).bytes());
        console.extend(b"[    3.000000] UBSAN: y\n");
        let found = splats(&console);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].names, ["bug", "KASAN", "stack trace"]);
        assert_eq!(found[0].excerpt[0], "[    1.100000] BUG: KASAN: x");
        assert_eq!(found[1].names, ["UBSAN"]);
    }

    #[test]
    fn a_good_console_holds_no_splat() {
        let console = "\
[    0.000000] Command line: panic=-1 oops=panic virtme.hostname=x
[    0.010000] rcu: \tRCU CPU stall warnings timeout set to 60 (rcu_cpu_stall_timeout).
[    0.120000] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible
[    1.000000] Run /init as init process
[    2.000000] Uhhuh. NMI received for unknown reason 30 on CPU 0.
[    2.000001] Dazed and confused, but trying to continue
[    3.000000] reboot: Power down
";
        assert_eq!(splats(console.as_bytes()), []);
        assert_eq!(
            tail(console.as_bytes(), 1),
            ["[    3.000000] reboot: Power down"]
        );
        assert_eq!(tail(console.as_bytes(), 100).len(), 7);
    }
}
