// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What can be wrong with a run as a whole, and what to say about it.

use std::fmt;

use wire::PROTOCOL;

use crate::judge::console::Splat;

/// What is wrong with a run as a whole. Shown, each says what was seen, what was expected, and
/// what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the message of each variant says what its fields are"
)]
pub enum Fault {
    Splat {
        splat: Splat,
        during: Option<String>,
    },
    Stopped {
        how: String,
        during: Option<String>,
    },
    NoStart,
    BeforeStart {
        number: usize,
        text: String,
    },
    SecondStart {
        number: usize,
    },
    Protocol {
        guest: u32,
    },
    Kernel {
        expected: String,
        seen: String,
    },
    Machine {
        expected: String,
        seen: String,
    },
    EmptyObject {
        object: String,
    },
    NoCases {
        filter: Option<String>,
    },
    AnnouncedTwice {
        test: String,
    },
    Garbage {
        number: usize,
        text: String,
        error: String,
    },
    Cut {
        number: usize,
        text: String,
    },
    Interleaved {
        open: String,
        next: String,
    },
    RequestOutsideTest {
        number: usize,
    },
    NotBegun {
        test: String,
        begun: Option<String>,
    },
    NotAnnounced {
        test: String,
    },
    ReportedTwice {
        test: String,
    },
    NeverReported {
        tests: Vec<String>,
        died_in: Option<String>,
    },
    Count {
        said: usize,
        seen: usize,
    },
    AfterEnd {
        number: usize,
        text: String,
    },
    NoEnd,
    FeatureMissing {
        test: String,
        feature: String,
    },
    Leak {
        listed: String,
    },
    NotScanned,
}

/// What to do about a fault in the agent's lines, which no kernel and no program can cause.
const AGENT: &str = "the agent (harness/guest) or what carries its lines is at fault; last/events.jsonl holds them as they came";
/// What to do about a guest that fell silent.
const CONSOLE: &str = "look at last/console.log for what the kernel said before";

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.what(), self.next())
    }
}

impl Fault {
    /// What was seen, and what was expected.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Fault::Splat { splat, during } => {
                let excerpt: String = splat
                    .excerpt
                    .iter()
                    .map(|line| format!("\n    {line}"))
                    .collect();
                format!(
                    "the kernel complained on the console ({}){}: {}{excerpt}",
                    splat.names.join(", "),
                    within(during.as_deref()),
                    splat.reason
                )
            }
            Fault::Stopped { how, during } => format!(
                "the guest did not end by itself: {how}{}",
                within(during.as_deref())
            ),
            Fault::NoStart => {
                "the agent never said a word; expected its start line on the channel".to_owned()
            }
            Fault::BeforeStart { number, text } => {
                format!("line {number} came before the start line: {text}")
            }
            Fault::SecondStart { number } => {
                format!("line {number} is a second start line; expected exactly one")
            }
            Fault::Protocol { guest } => format!(
                "the agent speaks version {guest} of the protocol, this harness version {PROTOCOL}"
            ),
            Fault::Kernel { expected, seen } => {
                format!("the guest ran kernel {seen}; expected {expected}, the one that was built")
            }
            Fault::Machine { expected, seen } => {
                format!("the guest is a {seen}; expected a {expected}")
            }
            Fault::EmptyObject { object } => {
                format!("{object} holds no program; expected at least one SEC(...) function")
            }
            Fault::NoCases {
                filter: Some(filter),
            } => format!("no test has a name that matches TEST={filter}; nothing was tested"),
            Fault::NoCases { filter: None } => {
                "the agent found no test; nothing was tested".to_owned()
            }
            Fault::AnnouncedTwice { test } => {
                format!("the start line lists {test} twice; expected every name once")
            }
            Fault::Garbage {
                number,
                text,
                error,
            } => format!(
                "line {number} of the channel is none that this harness knows ({error}): {text}"
            ),
            Fault::Cut { number, text } => {
                format!("line {number} of the channel was cut before its end: {text}")
            }
            Fault::Interleaved { open, next } => format!(
                "{next} began while {open} had not been reported; expected one test at a time"
            ),
            Fault::RequestOutsideTest { number } => {
                format!("line {number} is a request while no test was running")
            }
            Fault::NotBegun { test, begun: None } => {
                format!("{test} was reported without having begun")
            }
            Fault::NotBegun {
                test,
                begun: Some(begun),
            } => format!("{test} was reported while {begun} was running"),
            Fault::NotAnnounced { test } => {
                format!("{test} was reported, but the start line does not list it")
            }
            Fault::ReportedTwice { test } => {
                format!("{test} was reported twice; expected every test exactly once")
            }
            Fault::NeverReported {
                tests,
                died_in: Some(test),
            } => {
                format!("the guest died in {test}; not reported: {}", list(tests))
            }
            Fault::NeverReported {
                tests,
                died_in: None,
            } => format!("announced, but never reported: {}", list(tests)),
            Fault::Count { said, seen } => {
                format!("the end line speaks of {said} tests, but {seen} were reported")
            }
            Fault::AfterEnd { number, text } => {
                format!("line {number} came after the end line: {text}")
            }
            Fault::NoEnd => "the end line is missing; the run was cut short".to_owned(),
            Fault::FeatureMissing { test, feature } => format!(
                "{test} was left out because the guest has no `{feature}`; expected it, as the kernel was built to have it"
            ),
            Fault::Leak { listed } => format!(
                "kmemleak found memory that nothing refers to:{}",
                indented(listed, LEAKS_SHOWN)
            ),
            Fault::NotScanned => {
                "the kernel was built with kmemleak, but the agent did not find it; leaks would go unseen".to_owned()
            }
        }
    }

    /// What to do next.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Fault::Splat { during: Some(test), .. } => format!("run it alone: make boot-test TEST='^{test}$'; the whole console is last/console.log"),
            Fault::Splat { during: None, .. } => "the whole console is last/console.log; a pattern that is wrong stands in ci/splats.toml".to_owned(),
            Fault::NeverReported { died_in: Some(test), .. } => format!("run it alone: make boot-test TEST='^{test}$'"),
            Fault::Stopped { .. } | Fault::NoStart | Fault::NoEnd => CONSOLE.to_owned(),
            Fault::Protocol { .. } => "agent and harness are of different builds: build both anew (cargo clean --manifest-path harness/Cargo.toml)".to_owned(),
            Fault::Kernel { .. } | Fault::Machine { .. } => "check what KERNEL= and ARCH= say, and build/<base>/<arch>/image".to_owned(),
            Fault::EmptyObject { .. } => "add a program to its source in selftests/, or remove the file".to_owned(),
            Fault::NoCases { filter: Some(_) } => "TEST is a regular expression on <file>__<program>; a run without it lists them all".to_owned(),
            Fault::NoCases { filter: None } => "selftests/*.bpf.c should hold programs; see last/console.log".to_owned(),
            Fault::FeatureMissing { .. } => "its probe stands in harness/guest/src/feature.rs, what the kernel must have in harness/host/src/feature.rs; is debugfs mounted?".to_owned(),
            Fault::Leak { .. } => "the stacks are those of the allocations; run single tests with TEST= to find the one that leaks".to_owned(),
            Fault::NotScanned => "see what last/console.log says of kmemleak: it switches itself off when it runs out of memory for its records".to_owned(),
            Fault::Cut { .. } => format!("the guest or QEMU died while the agent wrote; {CONSOLE}"),
            Fault::AnnouncedTwice { .. } => "two programs of one object have the same name; rename one".to_owned(),
            Fault::BeforeStart { .. }
            | Fault::SecondStart { .. }
            | Fault::Garbage { .. }
            | Fault::Interleaved { .. }
            | Fault::RequestOutsideTest { .. }
            | Fault::NotBegun { .. }
            | Fault::NotAnnounced { .. }
            | Fault::ReportedTwice { .. }
            | Fault::NeverReported { died_in: None, .. }
            | Fault::Count { .. }
            | Fault::AfterEnd { .. } => AGENT.to_owned(),
        }
    }
}

fn within(test: Option<&str>) -> String {
    test.map(|test| format!(", while {test} was running"))
        .unwrap_or_default()
}

/// Lines of kmemleak's list that a message shows: several objects with their stacks.
const LEAKS_SHOWN: usize = 60;

/// The first lines of a text, each on a line of its own under the message.
fn indented(text: &str, most: usize) -> String {
    let mut out: String = text
        .lines()
        .take(most)
        .map(|line| format!("\n    {line}"))
        .collect();
    let more = text.lines().count().saturating_sub(most);
    if more > 0 {
        out.push_str(&format!("\n    ({more} more lines in last/events.jsonl)"));
    }
    out
}

/// The first few names, and how many more there are.
fn list(tests: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = tests
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match tests.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
