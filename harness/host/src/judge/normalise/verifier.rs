// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Reduces a verifier log to its message.
//!
//! Most of a log is the trace of verified instructions and register states. The reduced log has the
//! last source line of the trace and the lines after the trace: where the program was rejected, and
//! why.

use std::sync::LazyLock;

use regex::RegexSet;

/// Patterns of trace lines, each with an example. The message follows the last trace line.
const TRACE: &[(&str, &str)] = &[
    (
        r"^\d+: \([0-9a-f]{2}\) ",
        "7: (85) call bpf_stream_vprintk#81234",
    ),
    (r"^\d+: [RC]\d*\w*=", "0: R1=ctx() R10=fp0"),
    (r"^\d+: <invalid kfunc call>$", "3: <invalid kfunc call>"),
    (r"^from \d+ to \d+: ", "from 4 to 9: R0=0 R10=fp0"),
    (
        r"^from \d+ to \d+ \(",
        "from 4 to 9 (speculative execution): safe",
    ),
    (
        r"^; .* @ \S+:\d+$",
        "; return bpf_stream_printk(3, fmt); @ reject.bpf.c:14",
    ),
    (r"^func#\d+ @\d+$", "func#0 @0"),
    (
        r"^Validating \S+\(\) func#\d+\.\.\.$",
        "Validating sub() func#1...",
    ),
    (
        r"^mark_precise: ",
        "mark_precise: frame0: last_idx 3 first_idx 0 subseq_idx -1",
    ),
    (
        r"^caller:$|^callee:$|^returning from callee:$|^to caller at \d+:$",
        "caller:",
    ),
    (
        r"^ (?:frame\d+: )?R\d+(?:_[rwl]+)?=",
        " frame1: R1=ctx() R10=fp0",
    ),
    (r"^last_idx \d+ first_idx \d+", "last_idx 3 first_idx 0"),
    (r"^propagating r\d", "propagating r6"),
];

/// Lines with statistics of the verifier.
const NOISE: &[(&str, &str)] = &[
    (
        r"^processed \d+ insns ",
        "processed 8 insns (limit 1000000) max_states_per_insn 0",
    ),
    (r"^verification time \d+ usec$", "verification time 94 usec"),
    (r"^stack depth \d", "stack depth 0+16"),
    (
        r"^-- (?:BEGIN|END) PROG LOAD LOG --$",
        "-- BEGIN PROG LOAD LOG --",
    ),
    (r"^\s*$", ""),
];

/// The explanation that 7.3 prints after a message: source location, path and suggestion. 6.12 has
/// none.
const EXPLANATION: &str = "Verification failed: ";

/// Lines of the end that are kept where the whole log is trace.
const FALLBACK: usize = 5;

/// The last source line of the log, and the message.
pub(super) fn words(log: &str) -> String {
    let lines: Vec<&str> = log
        .lines()
        .take_while(|line| !line.starts_with(EXPLANATION))
        .filter(|line| !NOISE_SET.is_match(line))
        .collect();
    let after_trace = lines
        .iter()
        .rposition(|line| TRACE_SET.is_match(line))
        .map_or(0, |last| last + 1);
    let message = &lines[after_trace..];
    let source = lines[..after_trace]
        .iter()
        .rev()
        .find(|line| line.starts_with("; "));
    let mut kept: Vec<&str> = source.into_iter().copied().collect();
    if message.is_empty() {
        kept = lines[lines.len().saturating_sub(FALLBACK)..].to_vec();
    }
    kept.extend(message);
    kept.iter().map(|line| format!("{line}\n")).collect()
}

static TRACE_SET: LazyLock<RegexSet> = LazyLock::new(|| set(TRACE));
static NOISE_SET: LazyLock<RegexSet> = LazyLock::new(|| set(NOISE));

#[expect(
    clippy::expect_used,
    reason = "constants of the tables, compiled by their tests"
)]
fn set(table: &[(&str, &str)]) -> RegexSet {
    RegexSet::new(table.iter().map(|(pattern, _)| pattern)).expect("a constant table")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_explanation_after_a_message_of_mainline_is_removed() {
        let log = "0: (bf) r1 = r9\nR9 !read_ok\n\nVerification failed: Register Type Safety\n\n\
                   Reason:\n  R9 has never been initialized\nprocessed 1 insns (limit 1000000)\n";
        assert_eq!(words(log), "R9 !read_ok\n");
    }

    #[test]
    fn each_pattern_matches_its_example_and_no_message() {
        let messages = [
            "arg#1 doesn't point to a const string",
            "R2 type=scalar expected=map_value",
            "calling kernel function bpf_stream_vprintk is not allowed",
            "Unreleased reference id=4 alloc_insn=12",
            "BPF_EXIT instruction in main prog cannot be used inside bpf_local_irq_save-ed region",
            "from user",
            "The sequence of 8193 jumps is too complex.",
        ];
        for table in [TRACE, NOISE] {
            for (index, (_, example)) in table.iter().enumerate() {
                assert!(set(table).matches(example).matched(index), "{example}");
            }
            for message in messages {
                assert!(!set(table).is_match(message), "{message}");
            }
        }
    }

    #[test]
    fn the_source_line_and_the_message_are_kept() {
        let log = "\
func#0 @0
0: R1=ctx() R10=fp0
; int reject(void *ctx) @ reject.bpf.c:12
0: (b7) r1 = 0                        ; R1_w=0
; return bpf_stream_printk(1, fmt); @ reject.bpf.c:14
1: (85) call bpf_stream_vprintk#81234
R2 is not a known constant
arg#1 doesn't point to a const string
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
verification time 94 usec
stack depth 0
";
        assert_eq!(
            words(log),
            "; return bpf_stream_printk(1, fmt); @ reject.bpf.c:14\n\
             R2 is not a known constant\narg#1 doesn't point to a const string\n"
        );
    }

    #[test]
    fn a_log_without_a_message_keeps_its_end() {
        let log: String = (0..9).map(|i| format!("{i}: (b7) r1 = 0\n")).collect();
        assert_eq!(words(&log).lines().count(), FALLBACK);
        assert!(words(&log).ends_with("8: (b7) r1 = 0\n"));
    }

    #[test]
    fn a_log_without_trace_is_kept_whole() {
        assert_eq!(
            words("BPF program is too large\n"),
            "BPF program is too large\n"
        );
        assert_eq!(words(""), "");
    }
}
