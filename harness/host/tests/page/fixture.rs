// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! A bad night: a good cell, one with a differing text and a hostile program, one with a splat, and one
//! without a result.

use bpf_streams::judge::snapshot;
use bpf_streams::report::bench::{At, Bench, Figures, Measurement};
use bpf_streams::report::matrix::Cell;
use bpf_streams::report::nightly::CellRecord;
use bpf_streams::report::run_report::{Environment, RunResult, TestOutcome};
use wire::{Bytes, Outcome, TestReport};

/// Output of a program that tries to inject markup.
const HOSTILE: &[u8] = b"</pre></details></script><script>window.injected = 1</script>\n\
    <img src=x onerror='window.injected = 2'>\n\
    \" onmouseover=\"window.injected = 3\n\
    escape \x1b[31m, nul \0, bytes \xff\xfe\xc3(, turned \xe2\x80\xae around\n\
    &lt;b&gt; {{ view.date }} {% raw %}\n";

const DEADLOCK: &str = "\
ERROR: AA or ABBA deadlock detected for bpf_res_spin_lock
Attempted lock   = 0xffff888103a1c008
Total held locks = 1
Held lock[ 0] = 0xffff888103a1c008
CPU: 1 UID: 0 PID: 81 Comm: agent
Call trace:
 bpf_prog_8f4c1b3e7d2a9605_res_spin_lock_test+0x5e/0x90 [bpf_prog] selftests/locks.bpf.c:41
";

const CONSOLE: &[&str] = &[
    "[    4.117342] ==================================================================",
    "[    4.118001] BUG: KASAN: slab-use-after-free in bpf_stream_read+0x1f0/0x2a0",
    "[    4.118733] Read of size 8 at addr ffff888104c2f440 by task agent/81",
    "[    4.119404] CPU: 0 UID: 0 PID: 81 Comm: agent Not tainted 6.12.117-bpf-streams #1",
    "[    4.120119] Call Trace:",
    "[    4.120377]  <TASK>",
    "[    4.120601]  dump_stack_lvl+0x5d/0x80",
    "[    4.120998]  print_report+0xcf/0x660",
    "[    4.121377]  kasan_report+0xd6/0x110",
    "[    4.121771]  bpf_stream_read+0x1f0/0x2a0",
    "[    4.122188]  __sys_bpf+0x2c1d/0x3f40",
];

/// The cells of the night.
pub fn bad_night() -> Vec<CellRecord> {
    vec![good("x86_64", "plain"), differs(), caught(), no_result()]
}

/// A passed cell with a benchmark; one figure has a hostile name.
pub fn measured() -> CellRecord {
    let figures = |base: &str, much: u64| Figures {
        environment: Environment {
            base: base.to_owned(),
            ..environment("x86_64", "plain")
        },
        runs: 1,
        rows: vec![
            figure("prints__\"><script>x", "instructions", None, much),
            figure("scale__prints", "prints a second", Some(1), much * 10),
            figure("scale__prints", "prints a second", Some(2), much * 19),
            figure("reads__backlog", "instructions a KiB", Some(1), much / 3),
        ],
        ..Figures::default()
    };
    CellRecord {
        bench: Some(Bench {
            ours: figures("v6.12", 620_000),
            mainline: Some(figures("mainline", 1_240_000)),
        }),
        ..good("x86_64", "plain")
    }
}

fn figure(test: &str, unit: &str, at: Option<u64>, much: u64) -> Measurement {
    Measurement {
        test: test.to_owned(),
        unit: unit.to_owned(),
        at: at.map(|count| At {
            count,
            of: "CPUs".to_owned(),
        }),
        runs: vec![much],
    }
}

/// A passed cell.
pub fn good(arch: &str, config: &str) -> CellRecord {
    record(arch, config, tests(), Vec::new(), &[])
}

fn differs() -> CellRecord {
    let mut tests = tests();
    let approved = tests[2].text.clone();
    let test = &mut tests[2];
    test.passed = false;
    test.failure = Some(
        "it differs from its snapshot, as shown above; if the new text is right, approve it \
         with `make review`"
            .to_owned(),
    );
    test.raw = test.text.clone();
    test.text = test
        .text
        .take()
        .map(|text| text.replace("Total held locks = 1", "Total held locks = 2"));
    test.approved = approved;
    record("arm64", "plain", tests, Vec::new(), &[])
}

fn caught() -> CellRecord {
    let mut tests = tests();
    for test in &mut tests[3..] {
        *test = TestOutcome {
            test: test.test.clone(),
            failure: Some("the guest never reported it".to_owned()),
            ..TestOutcome::default()
        };
    }
    let fault = format!(
        "the kernel complained on the console (bug, KASAN) during reads__bytewise: memory was used \
         after it was freed, or past its end\n    {}\n  look at the whole console",
        CONSOLE[1]
    );
    record("x86_64", "debug", tests, vec![fault], CONSOLE)
}

fn no_result() -> CellRecord {
    CellRecord {
        cell: cell("arm64", "debug"),
        seconds: 187.0,
        checked: false,
        trouble: Some("it ended without a result (exit status: 1)".to_owned()),
        result: None,
        bench: None,
        output: vec![
            "   source  linux-source-6.12 6.12.117-1~deb12u1 (0.1 s)".to_owned(),
            "   kernel  v6.12 arm64 debug …".to_owned(),
            "error: the kernel does not compile: kernel/bpf/stream.c:112:9: error: 'x' undeclared"
                .to_owned(),
        ],
    }
}

fn record(
    arch: &str,
    config: &str,
    tests: Vec<TestOutcome>,
    faults: Vec<String>,
    console: &[&str],
) -> CellRecord {
    let passed = faults.is_empty() && tests.iter().all(|test| test.passed);
    CellRecord {
        cell: cell(arch, config),
        seconds: 9.4,
        result: Some(RunResult {
            passed,
            tests,
            faults,
            console: console.iter().map(|&line| line.to_owned()).collect(),
            guest_seconds: 5.3,
            total_seconds: 6.9,
            environment: environment(arch, config),
            ..RunResult::default()
        }),
        ..CellRecord::default()
    }
}

fn cell(arch: &str, config: &str) -> Cell {
    Cell {
        base: "v6.12".to_owned(),
        arch: arch.to_owned(),
        config: config.to_owned(),
    }
}

fn environment(arch: &str, config: &str) -> Environment {
    Environment {
        date: "2026-11-21T03:00:12Z".to_owned(),
        base: "v6.12".to_owned(),
        arch: arch.to_owned(),
        config: config.to_owned(),
        kernel: "6.12.117-bpf-streams".to_owned(),
        package: Some("linux-source-6.12 6.12.117-1~deb12u1".to_owned()),
        compiler: "gcc (Debian 12.2.0-14+deb12u1) 12.2.0".to_owned(),
        clang: "Debian clang version 19.1.7 (3~deb12u1)".to_owned(),
        qemu: "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)".to_owned(),
        virtme_ng: "1.36".to_owned(),
        machine: "2 CPUs".to_owned(),
        accelerator: "software emulation".to_owned(),
        jobs: 1,
        commit: Some("7241f47c0ffee7241f47c0ffee7241f47c0ffee7".to_owned()),
        dirty: Some(false),
        selection: None,
        repeat: format!("make boot-test BASE=v6.12 ARCH={arch} CONFIG={config}"),
    }
}

fn tests() -> Vec<TestOutcome> {
    let mut tests = vec![
        test(
            "attached__print_from_tracepoint",
            b"from a tracepoint\n",
            b"",
            1_400,
        ),
        test("hostile__\"><script>alert(1)</script>", HOSTILE, b"", 900),
        test(
            "locks__res_spin_lock_test",
            b"",
            DEADLOCK.as_bytes(),
            31_000,
        ),
        test("reads__bytewise", b"one\ntwo\nthree\n", b"", 2_300),
    ];
    tests.extend((0..12).map(|number| {
        let name = format!("conversions__a_program_with_quite_a_long_name_{number}");
        test(
            &name,
            format!("number {number}\n").as_bytes(),
            b"",
            700 * (number + 1),
        )
    }));
    tests
}

fn test(name: &str, stdout: &[u8], stderr: &[u8], micros: u64) -> TestOutcome {
    let report = TestReport {
        test: name.to_owned(),
        outcome: Outcome::Ran { retval: Some(0) },
        stdout: Bytes(stdout.to_vec()),
        stderr: Bytes(stderr.to_vec()),
        not_in_mainline: None,
        notes: Vec::new(),
        micros,
    };
    TestOutcome {
        test: name.to_owned(),
        passed: true,
        outcome: Some("returned 0".to_owned()),
        stdout_bytes: Some(stdout.len()),
        stderr_bytes: Some(stderr.len()),
        micros: Some(micros),
        text: snapshot::render(&report).ok(),
        ..TestOutcome::default()
    }
}
