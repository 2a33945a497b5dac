// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The table of normalisation rules.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::names::Placeholders;

/// One kind of varying text. Each named group of `pattern` is replaced by a placeholder of that kind;
/// the rest of the match stays.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "reasons and examples are for readers and tests")
)]
pub(super) struct Rule {
    name: &'static str,
    why: &'static str,
    /// In the syntax of the `regex` crate, with the flags `m` and `x`: `^` and `$` match at lines,
    /// blanks are written `\x20`.
    pattern: &'static str,
    /// Texts before and after this rule alone; at least one per rule.
    changes: &'static [(&'static str, &'static str)],
    /// Texts that the rule must not change; at least one per rule.
    leaves: &'static [&'static str],
}

/// The rules, applied in this order, each to the result of the previous one.
pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "lock addresses",
        why: "where a lock lies differs by run; which of them are the same is the point",
        pattern: r"^(?:Attempted\x20lock\x20{3}|Held\x20lock\[[\x20\d]\d\])\x20?=\x200x(?<addr>[0-9a-f]+)$",
        changes: &[
            (
                "Attempted lock   = 0xffff88800",
                "Attempted lock   = 0x<addr1>",
            ),
            ("Held lock[ 0] = 0xffff88800", "Held lock[ 0] = 0x<addr1>"),
            ("Held lock[30] = 0xffff88800", "Held lock[30] = 0x<addr1>"),
        ],
        leaves: &[
            "Total held locks = 2",
            "The Attempted lock   = 0xffff88800",
            "Held lock[0] = none",
        ],
    },
    Rule {
        name: "arena addresses",
        why: "where an arena is mapped differs by run and architecture",
        pattern: r"^ERROR:\x20Arena\x20(?:READ|WRITE)\x20access\x20at\x20unmapped\x20address\x200x(?<addr>[0-9a-f]+)$",
        changes: &[
            (
                "ERROR: Arena READ access at unmapped address 0x7f0100000000",
                "ERROR: Arena READ access at unmapped address 0x<addr1>",
            ),
            (
                "ERROR: Arena WRITE access at unmapped address 0x7f0100000000",
                "ERROR: Arena WRITE access at unmapped address 0x<addr1>",
            ),
        ],
        leaves: &[
            "ERROR: Arena EXEC access at unmapped address 0x7f0100000000",
            "address 0x1234",
        ],
    },
    Rule {
        name: "arena addresses that a program says it will touch",
        why: "as above; that a report names the same address is the point",
        pattern: r"\barena\x20address\x200x(?<addr>[0-9a-f]+)$",
        changes: &[(
            "load of 4 bytes at arena address 0x1000000000",
            "load of 4 bytes at arena address 0x<addr1>",
        )],
        leaves: &["address 0x1000000000", "arena address 0x10 and more"],
    },
    Rule {
        name: "the CPU and the process of a report",
        why: "where a program ran is chance; its user and its command's name are not",
        pattern: r"^CPU:\x20(?<cpu>\d+)\x20UID:\x20\d+\x20PID:\x20(?<pid>\d+)\x20Comm:\x20",
        changes: &[(
            "CPU: 1 UID: 0 PID: 77 Comm: agent",
            "CPU: <cpu1> UID: 0 PID: <pid1> Comm: agent",
        )],
        leaves: &["CPU: 1", "on CPU: 1 UID: 0 PID: 77 Comm: agent", "PID: 77"],
    },
    Rule {
        name: "kernel threads that any work may run in",
        why: "which of them takes a work, and which CPU was idle, is chance",
        pattern: r"^CPU:\x20\S+\x20UID:\x20\d+\x20PID:\x20\S+\x20Comm:\x20(?:kworker/(?<worker>[\w:+-]+)|swapper/(?<idle>\d+))$",
        changes: &[
            (
                "CPU: <cpu1> UID: 0 PID: <pid1> Comm: kworker/0:2",
                "CPU: <cpu1> UID: 0 PID: <pid1> Comm: kworker/<worker1>",
            ),
            (
                "CPU: <cpu1> UID: 0 PID: <pid1> Comm: kworker/u8:1+ev",
                "CPU: <cpu1> UID: 0 PID: <pid1> Comm: kworker/<worker1>",
            ),
            (
                "CPU: <cpu1> UID: 0 PID: <pid1> Comm: swapper/1",
                "CPU: <cpu1> UID: 0 PID: <pid1> Comm: swapper/<idle1>",
            ),
        ],
        leaves: &[
            "CPU: <cpu1> UID: 0 PID: <pid1> Comm: agent",
            "CPU: <cpu1> UID: 0 PID: <pid1> Comm: my kworker/0:2",
            "Comm: kworker/0:2",
        ],
    },
    Rule {
        name: "frames of programs",
        why: "the tag hashes the instructions, which hold map addresses; offsets are the JIT's",
        pattern: r"\bbpf_prog_(?<tag>[0-9a-f]{16})(?:_\w+)?\+(?<off>0x[0-9a-f]+/0x[0-9a-f]+)",
        changes: &[
            (
                "bpf_prog_0123456789abcdef_sub+0x1c/0x40\nbpf_prog_0123456789abcdef_sub+0x20/0x40",
                "bpf_prog_<tag1>_sub+<off1>\nbpf_prog_<tag1>_sub+<off2>",
            ),
            (
                "bpf_prog_0123456789abcdef_a+0x1c/0x40\nbpf_prog_fedcba9876543210_b+0x1c/0x40",
                "bpf_prog_<tag1>_a+<off1>\nbpf_prog_<tag2>_b+<off2>",
            ),
        ],
        leaves: &["bpf_prog_0123456789_sub+0x1c/0x40", "bpf_prog_fedcba98 sub"],
    },
    Rule {
        name: "names of programs",
        why: "as above, where a symbol is printed without its offset (%ps)",
        pattern: r"\bbpf_prog_(?<tag>[0-9a-f]{16})(?:_|\b)",
        changes: &[
            ("in bpf_prog_0123456789abcdef_sub", "in bpf_prog_<tag1>_sub"),
            ("in bpf_prog_0123456789abcdef.", "in bpf_prog_<tag1>."),
        ],
        leaves: &["bpf_prog_test_run", "bpf_prog_0123456789abcdef0"],
    },
    Rule {
        name: "offsets into kernel symbols",
        why: "the compiler's choice (%pS, %pB); which symbol it is stays",
        pattern: r"\b[A-Za-z_][\w.$]*\+(?<off>0x[0-9a-f]+/0x[0-9a-f]+)",
        changes: &[("bpf_test_run+0x193/0x390 did", "bpf_test_run+<off1> did")],
        leaves: &["a+0x1", "1+0x1/0x2", "a + 0x1/0x2"],
    },
    Rule {
        name: "kernel addresses",
        why: "%px; the topmost 16 MiB are left, for they are small negative numbers",
        pattern: r"\b(?:0x)?(?<addr>ffff(?:
            [0-9a-e][0-9a-f]{11}|f[0-9a-e][0-9a-f]{10}|ff[0-9a-e][0-9a-f]{9}|
            fff[0-9a-e][0-9a-f]{8}|ffff[0-9a-e][0-9a-f]{7}|fffff[0-9a-e][0-9a-f]{6}))\b",
        changes: &[
            ("x ffff888103a1c008 y", "x <addr1> y"),
            ("0xffffffff81000000", "0x<addr1>"),
            ("ffff80008000c000 ffff80008000c000", "<addr1> <addr1>"),
        ],
        leaves: &[
            "ffffffffffffffff",
            "fffffffffffffff2",
            "ffff",
            "ffff888103a1c0080",
            "deadbeefcafef00d",
        ],
    },
    Rule {
        name: "hashed pointers",
        why: "%p is hashed with a key of the boot's; a NULL stays (print numbers without padding)",
        pattern: r"\b(?:0x)?0{8}(?<addr>
            [1-9a-f][0-9a-f]{7}|0[1-9a-f][0-9a-f]{6}|0{2}[1-9a-f][0-9a-f]{5}|0{3}[1-9a-f][0-9a-f]{4}|
            0{4}[1-9a-f][0-9a-f]{3}|0{5}[1-9a-f][0-9a-f]{2}|0{6}[1-9a-f][0-9a-f]|0{7}[1-9a-f])\b",
        changes: &[
            ("0x00000000abcdef12", "0x00000000<addr1>"),
            (
                "00000000abcdef12 00000000abcdef12",
                "00000000<addr1> 00000000<addr1>",
            ),
            (
                "0000000000000001 0000000000012000",
                "00000000<addr1> 00000000<addr2>",
            ),
        ],
        leaves: &["0000000000000000", "abcdef12", "00000001abcdef12"],
    },
    Rule {
        name: "ids of the verifier and of BTF",
        why: "counted up in the order of the verifier's walk, or by the kernel's build",
        pattern: r"\b(?:id=(?<id>\d+)|alloc_insn=(?<insn>\d+)|(?:type|btf|btf_type)_id[\x20=](?<btf>\d+))\b",
        changes: &[
            (
                "Unreleased reference id=4 alloc_insn=12",
                "Unreleased reference id=<id1> alloc_insn=<insn1>",
            ),
            ("R1_w=scalar(id=3)", "R1_w=scalar(id=<id1>)"),
            ("btf_id 3141", "btf_id <btf1>"),
        ],
        leaves: &["id 4", "stream_id=3", "off=8", "pid=12"],
    },
    Rule {
        name: "BTF ids of kfuncs",
        why: "by the kernel's build",
        pattern: r"\b(?:call|kfunc)\x20\w+\#(?<btf>\d+)\b",
        changes: &[
            (
                "call bpf_stream_vprintk#81234",
                "call bpf_stream_vprintk#<btf1>",
            ),
            (
                "kfunc bpf_task_release#22887 reference has not been acquired before",
                "kfunc bpf_task_release#<btf1> reference has not been acquired before",
            ),
        ],
        leaves: &["arg#1", "func#0", "func bpf_sk_release#86"],
    },
];

/// `text` after all rules.
pub(super) fn apply(text: &str, names: &mut Placeholders) -> String {
    COMPILED
        .iter()
        .fold(text.to_owned(), |text, rule| rule.replace(&text, names))
}

static COMPILED: LazyLock<Vec<Compiled>> =
    LazyLock::new(|| RULES.iter().map(Compiled::new).collect());

struct Compiled {
    pattern: Regex,
    kinds: Vec<String>,
}

impl Compiled {
    #[expect(
        clippy::expect_used,
        reason = "a constant of the table, compiled by its test"
    )]
    fn new(rule: &Rule) -> Self {
        let pattern = Regex::new(&format!("(?mx){}", rule.pattern)).expect(rule.name);
        let kinds = pattern
            .capture_names()
            .flatten()
            .map(str::to_owned)
            .collect();
        Self { pattern, kinds }
    }

    fn replace(&self, text: &str, names: &mut Placeholders) -> String {
        self.pattern
            .replace_all(text, |found: &Captures| self.name_groups(found, names))
            .into_owned()
    }

    /// One match with each group replaced by its placeholder.
    fn name_groups(&self, found: &Captures, names: &mut Placeholders) -> String {
        let whole = found.get_match();
        let mut out = whole.as_str().to_owned();
        // Groups are replaced from the last to the first, so that earlier offsets stay valid;
        // placeholders are numbered in reading order.
        let groups = self
            .kinds
            .iter()
            .filter_map(|kind| Some((kind, found.name(kind)?)));
        let named: Vec<_> = groups
            .map(|(kind, group)| {
                // An offset identifies a place only together with its symbol.
                let value = if kind == "off" {
                    whole.as_str()
                } else {
                    group.as_str()
                };
                (group.range(), names.name(kind, value))
            })
            .collect();
        for (range, name) in named.into_iter().rev() {
            out.replace_range(
                range.start - whole.start()..range.end - whole.start(),
                &name,
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_changes_its_examples_as_stated() {
        for rule in RULES {
            assert!(
                !rule.changes.is_empty() && !rule.leaves.is_empty() && !rule.why.is_empty(),
                "{}",
                rule.name
            );
            let compiled = Compiled::new(rule);
            for (text, want) in rule.changes {
                assert_eq!(
                    &compiled.replace(text, &mut Placeholders::default()),
                    want,
                    "{}",
                    rule.name
                );
            }
            for text in rule.leaves {
                assert_eq!(
                    &compiled.replace(text, &mut Placeholders::default()),
                    text,
                    "{}",
                    rule.name
                );
            }
        }
    }

    #[test]
    fn the_whole_table_agrees_with_each_rule() {
        for rule in RULES {
            for (text, want) in rule.changes {
                assert_eq!(
                    &apply(text, &mut Placeholders::default()),
                    want,
                    "{}",
                    rule.name
                );
            }
        }
    }

    #[test]
    fn applying_the_table_again_changes_nothing() {
        let mut names = Placeholders::default();
        for (text, _) in RULES.iter().flat_map(|rule| rule.changes) {
            let once = apply(text, &mut names);
            assert_eq!(apply(&once, &mut names), once);
        }
    }
}
