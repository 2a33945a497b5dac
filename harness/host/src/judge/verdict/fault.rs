// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What can be wrong with a run as a whole. The message of each fault is next to its variant: what was
//! seen, what was expected, and what to do next.

use thiserror::Error;
use wire::PROTOCOL;

use crate::judge::console::{MissingLine, Splat};

/// What to do about a line of the agent that neither a kernel nor a program can cause.
const AGENT: &str = "the agent (harness/guest) or its channel is broken; last/events.jsonl holds the lines as received";
/// What to do about a guest that stopped sending.
const CONSOLE: &str = "see last/console.log for the kernel's last messages";

/// What is wrong with a run as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the message of each variant names its fields")]
pub enum Fault {
    #[error(
        "the kernel complained on the console ({}){}: {}{}\n  {}",
        .splat.names.join(", "), within(.during.as_deref()), .splat.reason, excerpt(.splat),
        after_splat(.during.as_deref())
    )]
    Splat {
        splat: Splat,
        during: Option<String>,
    },
    #[error("the guest did not power off: {how}{}\n  {CONSOLE}", within(.during.as_deref()))]
    Stopped { how: String, during: Option<String> },
    #[error("the agent sent nothing; expected its start line on the channel\n  {CONSOLE}")]
    NoStart,
    #[error("line {number} came before the start line: {text}\n  {AGENT}")]
    BeforeStart { number: usize, text: String },
    #[error("line {number} is a second start line; expected exactly one\n  {AGENT}")]
    SecondStart { number: usize },
    #[error(
        "the agent uses version {guest} of the protocol, this harness version {PROTOCOL}\n  \
         agent and harness are from different builds; rebuild both (cargo clean --manifest-path harness/Cargo.toml)"
    )]
    Protocol { guest: u32 },
    #[error(
        "the guest ran kernel {seen}; expected {expected}, the one that was built\n  \
         check KERNEL=, ARCH= and build/<base>/<arch>/image"
    )]
    Kernel { expected: String, seen: String },
    #[error(
        "the guest is a {seen}; expected a {expected}\n  \
         check KERNEL=, ARCH= and build/<base>/<arch>/image"
    )]
    Machine { expected: String, seen: String },
    #[error(
        "{object} holds no program; expected at least one SEC(...) function\n  \
         add a program to its source in selftests/, or remove the file"
    )]
    EmptyObject { object: String },
    #[error("{}", no_tests(.filter.as_deref()))]
    NoTests { filter: Option<String> },
    #[error(
        "the start line lists {test} twice; expected every name once\n  \
         two programs of one object have the same name; rename one"
    )]
    AnnouncedTwice { test: String },
    #[error("line {number} of the channel is unknown to this harness ({error}): {text}\n  {AGENT}")]
    Garbage {
        number: usize,
        text: String,
        error: String,
    },
    #[error(
        "line {number} of the channel is cut before its end: {text}\n  \
         the guest or QEMU died while the agent wrote; {CONSOLE}"
    )]
    Cut { number: usize, text: String },
    #[error("{next} began before {open} was reported; expected one test at a time\n  {AGENT}")]
    Interleaved { open: String, next: String },
    #[error("line {number} is a request while no test was running\n  {AGENT}")]
    RequestOutsideTest { number: usize },
    #[error("{test} was reported {}\n  {AGENT}", without_begin(.begun.as_deref()))]
    NotBegun { test: String, begun: Option<String> },
    #[error("{test} was reported, but the start line does not list it\n  {AGENT}")]
    NotAnnounced { test: String },
    #[error("{test} was reported, but the host had not named it\n  {AGENT}")]
    NotHanded { test: String },
    #[error("{test} was reported twice; expected every test exactly once\n  {AGENT}")]
    ReportedTwice { test: String },
    #[error("{}", never_reported(.tests, .died_in.as_deref()))]
    NeverReported {
        tests: Vec<String>,
        died_in: Option<String>,
    },
    #[error("the end line counts {said} tests, but {seen} were reported\n  {AGENT}")]
    Count { said: usize, seen: usize },
    #[error("line {number} came after the end line: {text}\n  {AGENT}")]
    AfterEnd { number: usize, text: String },
    #[error("the end line is missing; the run was cut short\n  {CONSOLE}")]
    NoEnd,
    #[error(
        "{test} was skipped because the guest has no `{feature}`, but the kernel was built with it\n  \
         the guest probes in harness/guest/src/feature.rs, harness/host/src/judge/feature.rs lists what \
         a kernel must have; is debugfs mounted?"
    )]
    FeatureMissing { test: String, feature: String },
    #[error(
        "kmemleak found unreferenced memory:{}\n  \
         the stacks are those of the allocations; run single tests with TEST= to find the one that leaks",
        indented(.listed, LEAKS_SHOWN)
    )]
    Leak { listed: String },
    #[error(
        "the kernel was built with kmemleak, but the agent did not find it; leaks would go unnoticed\n  \
         search last/console.log for kmemleak: it disables itself when it runs out of memory for its records"
    )]
    NotScanned,
    #[error(
        "the kernel was built with `{}`, but no line of its console matches `{}`: {}\n  \
         check kernel-config/<configuration>.machine and ACCEL=; {CONSOLE}",
        .0.feature, .0.pattern, .0.reason
    )]
    LineMissing(MissingLine),
    #[error("guest {guest}: {}", in_folder(*.guest, .fault))]
    InGuest { guest: usize, fault: Box<Fault> },
    #[error("{}", different_lists(*.of, *.guest, .missing, .more))]
    DifferentLists {
        of: usize,
        guest: usize,
        missing: Vec<String>,
        more: Vec<String>,
    },
    #[error(
        "{test} was handed to the guests {}; expected one guest per test\n  \
         the dispatcher (harness/host/src/vm/machine/dispatch.rs) is broken",
        numbers(.guests)
    )]
    HandedOutTwice { test: String, guests: Vec<usize> },
    #[error(
        "no guest was left to run {}\n  \
         the faults of the guests are above; fix them first",
        list(.tests)
    )]
    NotHandedOut { tests: Vec<String> },
}

impl Fault {
    /// Whether the objects, the agent or the kernel cause the fault, so that every guest has it.
    #[must_use]
    pub fn is_of_every_guest(&self) -> bool {
        matches!(
            self,
            Fault::Protocol { .. }
                | Fault::Kernel { .. }
                | Fault::Machine { .. }
                | Fault::EmptyObject { .. }
                | Fault::NoTests { .. }
                | Fault::AnnouncedTwice { .. }
                | Fault::LineMissing(_)
        )
    }

    /// The number of the guest that has the fault, if the run had several guests.
    #[must_use]
    pub fn guest(&self) -> Option<usize> {
        match self {
            Fault::InGuest { guest, .. } | Fault::DifferentLists { guest, .. } => Some(*guest),
            _ => None,
        }
    }
}

/// The message of a fault of one guest, which has a folder of its own in `last/`.
fn in_folder(guest: usize, fault: &Fault) -> String {
    let folder = format!("last/guest-{guest}/");
    fault.to_string().replace("last/", &folder)
}

fn different_lists(of: usize, guest: usize, missing: &[String], more: &[String]) -> String {
    let difference = match (missing, more) {
        ([], []) => "the same tests in another order, or with other `__alone` marks".to_owned(),
        ([], more) => format!("also {}", list(more)),
        (missing, []) => format!("not {}", list(missing)),
        (missing, more) => format!("not {}, but {}", list(missing), list(more)),
    };
    format!(
        "guest {guest} announced other tests than guest {of}: {difference}; expected equal lists\n  \
         the agent must find the same tests in every guest (harness/guest/src/discover.rs)"
    )
}

fn numbers(guests: &[usize]) -> String {
    let numbers: Vec<String> = guests.iter().map(ToString::to_string).collect();
    numbers.join(" and ")
}

fn excerpt(splat: &Splat) -> String {
    let lines = splat.excerpt.iter();
    lines.map(|line| format!("\n    {line}")).collect()
}

fn after_splat(during: Option<&str>) -> String {
    match during {
        Some(test) => format!("{}; the whole console is last/console.log", alone(test)),
        None => {
            "the whole console is last/console.log; a wrong pattern is corrected in ci/splats.toml"
                .to_owned()
        }
    }
}

fn alone(test: &str) -> String {
    format!("run it alone: make boot-test TEST='^{test}$'")
}

fn no_tests(filter: Option<&str>) -> String {
    match filter {
        Some(filter) => format!(
            "no test has a name that matches TEST={filter}; nothing was tested\n  \
             TEST is a regular expression on <file>__<program>; a run without TEST lists all names"
        ),
        None => "the agent found no test; nothing was tested\n  \
                 selftests/*.bpf.c should hold programs; see last/console.log"
            .to_owned(),
    }
}

fn without_begin(begun: Option<&str>) -> String {
    match begun {
        None => "without having begun".to_owned(),
        Some(begun) => format!("while {begun} was running"),
    }
}

fn never_reported(tests: &[String], died_in: Option<&str>) -> String {
    let tests = list(tests);
    match died_in {
        Some(test) => format!(
            "the guest died in {test}; not reported: {tests}\n  {}",
            alone(test)
        ),
        None => format!("announced, but never reported: {tests}\n  {AGENT}"),
    }
}

fn within(test: Option<&str>) -> String {
    test.map(|test| format!(", while {test} was running"))
        .unwrap_or_default()
}

/// Lines of kmemleak's report in a message: several objects with their stacks.
const LEAKS_SHOWN: usize = 60;

/// The first lines of a text, indented below the message.
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

/// The first names, and the number of further ones.
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
