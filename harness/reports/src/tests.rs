// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Tests of the parser: texts of the kernel, and damaged ones.

use super::*;

const ARENA: &str = "\
ERROR: Arena WRITE access at unmapped address 0x100000001000
CPU: 1 UID: 0 PID: 77 Comm: bpf-streams-gue
Call trace:
bpf_stream_stage_dump_stack+0x7a/0x120
bpf_prog_report_arena_violation+0x9c/0x130
asm_exc_page_fault+0x26/0x30
bpf_prog_5d3b5a4c9a1a7e33_store+0x4e/0x7c
  *page = 1; @ arena_stores.bpf.c:23
bpf_prog_0123456789abcdef_main+0x1c/0x30
  store(page); @ arena_stores.bpf.c:31
bpf_prog_test_run_syscall+0x193/0x390
do_syscall_64+0x9e/0x1a0

";

const TIMEOUT: &str = "\
ERROR: Timeout detected for may_goto instruction
CPU: 0 UID: 0 PID: 78 Comm: a name of 15 b.
Call trace:
bpf_check_timed_may_goto+0x5c/0x90
bpf_prog_5d3b5a4c9a1a7e33_spin+0x4e/0x7c
  for (;;) /* 1 @ 2 */ @ may_goto.bpf.c:7
nf_hook_slow+0x40/0xc0 [nf_tables]

";

const DEADLOCK: &str = "\
ERROR: AA or ABBA deadlock detected for bpf_res_spin_lock_irqsave
Attempted lock   = 0xffff888103a1c008
Total held locks = 2
Held lock[ 0] = 0xffff888103a1c008
Held lock[ 1] = 0xffff888103a1c108
CPU: 1 UID: 0 PID: 77 Comm: agent
Call trace:
bpf_res_spin_lock+0x5c/0x90
bpf_prog_5d3b5a4c9a1a7e33+0x4e/0x7c

";

const STACK: &str = "\
CPU: 0 UID: 1000 PID: 0 Comm: swapper/0
Call trace:
bpf_stream_print_stack+0x7a/0x120
bpf_prog_5d3b5a4c9a1a7e33_stack+0x4e/0x7c
  bpf_stream_print_stack(BPF_STDERR); @ stack.bpf.c:9

";

fn reports(text: &str) -> Vec<Report> {
    let items = parse(text.as_bytes()).expect(text);
    items
        .into_iter()
        .filter_map(|item| match item {
            Item::KernelReport(report) => Some(report),
            Item::ReportsSuppressed { .. } => None,
        })
        .collect()
}

#[test]
fn an_arena_fault_is_parsed() {
    let [report] = &reports(ARENA)[..] else {
        panic!("one report");
    };
    assert_eq!(
        report.kind,
        Kind::ArenaFault {
            access: Access::Write,
            address: Hex(0x1000_0000_1000),
        }
    );
    let place = (report.cpu, report.uid, report.pid, report.comm.as_str());
    assert_eq!(place, (1, 0, 77, "bpf-streams-gue"));
    assert_eq!(report.frames.len(), 7);
    let frame = report.program_frame().unwrap();
    assert_eq!((frame.offset, frame.size), (Hex(0x4e), Hex(0x7c)));
    let program = frame.program.as_ref().unwrap();
    assert_eq!(program.tag, "5d3b5a4c9a1a7e33");
    assert_eq!(program.name, "store");
    let source = frame.source.as_ref().unwrap();
    assert_eq!(source.text, "*page = 1;");
    assert_eq!(
        (source.file.as_str(), source.line),
        ("arena_stores.bpf.c", 23)
    );
    // the kernel has functions whose names begin like those of programs
    assert_eq!(report.frames[5].program, None);
}

#[test]
fn every_kind_is_parsed() {
    let [timeout, deadlock, stack] = &reports(&[TIMEOUT, DEADLOCK, STACK].concat())[..] else {
        panic!("three reports");
    };
    assert_eq!(timeout.kind, Kind::MayGotoTimeout);
    assert_eq!(timeout.comm, "a name of 15 b.");
    assert_eq!(timeout.frames[2].module.as_deref(), Some("nf_tables"));
    let source = timeout.frames[1].source.as_ref().unwrap();
    assert_eq!(source.text, "for (;;) /* 1 @ 2 */");
    let Kind::LockDeadlock(lock) = &deadlock.kind else {
        panic!("{:?}", deadlock.kind);
    };
    assert_eq!(lock.function, "bpf_res_spin_lock_irqsave");
    assert_eq!(lock.attempted, lock.held[0]);
    assert_eq!((lock.held.len(), lock.total), (2, 2));
    assert_eq!(deadlock.frames[1].program.as_ref().unwrap().name, "");
    assert_eq!((&stack.kind, stack.uid), (&Kind::Stack, 1000));

    let other = DEADLOCK.replace("AA or ABBA deadlock", "Timeout");
    assert!(matches!(reports(&other)[0].kind, Kind::LockTimeout(_)));
    let read = ARENA.replace("WRITE", "READ");
    let Kind::ArenaFault { access, .. } = reports(&read)[0].kind else {
        panic!("{read}");
    };
    assert_eq!(access, Access::Read);
}

#[test]
fn at_most_31_held_locks_are_listed() {
    let listed: String = (0..31)
        .map(|number| format!("Held lock[{number:2}] = 0xffff888103a1c0{number:02x}\n"))
        .collect();
    let (head, rest) = DEADLOCK.split_once("Total").unwrap();
    let rest = &rest[rest.find("CPU").unwrap()..];
    let text = format!("{head}Total held locks = 40\n{listed}{rest}");
    let Kind::LockDeadlock(lock) = &reports(&text)[0].kind else {
        panic!("{text}");
    };
    assert_eq!((lock.held.len(), lock.total), (31, 40));
}

#[test]
fn text_of_the_program_is_skipped() {
    for text in [
        "",
        "\n",
        "no newline",
        "an ERROR: of mine\n",
        "the CPU: 1\n",
        "  a = b; @ c:1\n",
        "... and so on\n",
        "x+0x1\n",
        "\u{fffd}\n",
    ] {
        assert_eq!(parse(text.as_bytes()), Ok(Vec::new()), "{text:?}");
    }
    assert_eq!(parse(b"\xff\xfe\n"), Ok(Vec::new()));
    let mixed = format!("before\n{ARENA}between\n\n{TIMEOUT}{STACK}after");
    assert_eq!(reports(&mixed).len(), 3);
    let mut own = Vec::new();
    parse_with(mixed.as_bytes(), |line| own.push(line.to_owned())).unwrap();
    assert_eq!(own, ["before", "between", "", "after"]);
}

#[test]
fn suppressed_reports_are_counted() {
    let text = format!("{STACK}... 999488 further reports were suppressed\n{STACK}");
    let items = parse(text.as_bytes()).unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(items[1], Item::ReportsSuppressed { count: 999_488 });
}

/// The error for `text`, which is not a valid report.
fn error_of(text: &str) -> String {
    match parse(text.as_bytes()) {
        Ok(items) => panic!("{items:?} out of:\n{text}"),
        Err(broken) => broken.to_string(),
    }
}

#[test]
fn a_report_cut_at_any_byte_is_an_error() {
    for whole in [ARENA, TIMEOUT, DEADLOCK, STACK] {
        // a shorter prefix may be the program's own text
        let mark = if whole.starts_with("CPU") { 5 } else { 7 };
        for end in mark..whole.len() {
            error_of(&whole[..end]);
        }
    }
}

#[test]
fn a_report_without_one_of_its_lines_is_an_error() {
    for whole in [ARENA, TIMEOUT, DEADLOCK, STACK] {
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        for missing in 0..lines.len() {
            // what the snapshot shows: which frames there are, and whether there is a head
            let frame = lines[missing].contains("+0x") || lines[missing].starts_with("  ");
            let head = missing == 0 && lines[1].starts_with(line::CPU);
            if !frame && !head {
                let text = [&lines[..missing], &lines[missing + 1..]].concat().concat();
                error_of(&format!("{text}{STACK}"));
            }
        }
    }
}

#[test]
fn other_text_within_a_report_is_an_error() {
    for whole in [ARENA, TIMEOUT, DEADLOCK, STACK] {
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        for at in 1..lines.len() {
            for other in [
                "text\n",
                "... 3 further reports were suppressed\n",
                "0xffffffff81000000\n",
                TIMEOUT,
            ] {
                let text = [&lines[..at], &[other], &lines[at..]].concat().concat();
                error_of(&text);
            }
        }
    }
}

#[test]
fn interleaved_reports_are_an_error() {
    let (one, other) = (
        ARENA.split_inclusive('\n').collect::<Vec<_>>(),
        TIMEOUT.split_inclusive('\n').collect::<Vec<_>>(),
    );
    for at in 1..one.len() {
        for till in 1..=other.len() {
            let text = [&one[..at], &other[..till], &one[at..], &other[till..]];
            error_of(&text.concat().concat());
        }
    }
}

#[test]
fn messages_name_the_line_and_the_error() {
    let tests = [
        (
            "ERROR: something else\n",
            "line 1: `ERROR: something else` is not the first line of a known report",
        ),
        (
            "ERROR: Arena EXEC access at unmapped address 0x1\n",
            "line 1: `ERROR: Arena EXEC access at unmapped address 0x1` is not the first line of a known report",
        ),
        (
            "ERROR: Timeout detected for spin_lock\n",
            "line 1: `ERROR: Timeout detected for spin_lock` is not the first line of a known report",
        ),
        (
            "a\nCPU: one\n",
            "line 2: `CPU: one` is not the first line of a known report",
        ),
        (
            "CPU: 1 UID: 0 PID: 077 Comm: x\n",
            "line 1: `CPU: 1 UID: 0 PID: 077 Comm: x` is not the first line of a known report",
        ),
        (
            "... 0 further reports were suppressed\n",
            "line 1: `... 0 further reports were suppressed` is not the first line of a known report",
        ),
        (
            "Call trace:\n",
            "line 1: `Call trace:` is a part of a report, but no report has begun",
        ),
        (
            "Held lock[ 0] = 0x1\n",
            "line 1: `Held lock[ 0] = 0x1` is a part of a report, but no report has begun",
        ),
        (
            "do_syscall_64+0x9e/0x1a0\n",
            "line 1: `do_syscall_64+0x9e/0x1a0` is a part of a report, but no report has begun",
        ),
        (
            "textERROR: Timeout detected for may_goto instruction\n",
            "line 1: `textERROR: Timeout detected for may_goto instruction`: a report begins in the middle of a line",
        ),
        (
            "textCPU: 1 UID: 0 PID: 7 Comm: x\n",
            "line 1: `textCPU: 1 UID: 0 PID: 7 Comm: x`: a report begins in the middle of a line",
        ),
        (
            "text... 3 further reports were suppressed\n",
            "line 1: `text... 3 further reports were suppressed`: a report begins in the middle of a line",
        ),
        (
            "CPU: 1 UID: 0 PID: 7 Comm: x\nCall trace:\na+0x1/0x2\n\n",
            "line 4: the stack dump that ends here has no frame of a BPF program",
        ),
        (
            "CPU: 1 UID: 0 PID: 7 Comm: x\nCall trace:\n? a+0x1/0x2\n",
            "line 3: found `? a+0x1/0x2` in a report where a frame of the stack or an empty line is expected",
        ),
        (
            "CPU: 1 UID: 0 PID: 7 Comm: x\n",
            "line 1: the report is cut off: the line `Call trace:` is missing behind `CPU: 1 UID: 0 PID: 7 Comm: x`",
        ),
        (
            "CPU: 1 UID: 0 PID: 7 Comm: x\nCall tr",
            "line 2: the report is cut off: the end of the line is missing behind `Call tr`",
        ),
    ];
    for (text, said) in tests {
        assert_eq!(error_of(text), said);
    }
    let fewer = DEADLOCK.replace("locks = 2", "locks = 3");
    assert!(
        error_of(&fewer)
            .ends_with("the number of listed locks differs from the number of held locks")
    );
    let more = DEADLOCK.replace("locks = 2", "locks = 1");
    assert!(error_of(&more).contains("where the line `CPU: …` is expected"));
}

#[test]
fn malformed_frames_and_sources_are_errors() {
    for frame in [
        "a+0x1",
        "a+1/2",
        "a+0x/0x2",
        "a+0x1/0x2 extra text",
        "+0x1/0x2",
        "0xffff888103a1c008",
        "a+0x1/0x2 [nf",
        "a+0x1/0x2 []",
        "a+0x11111111111111111/0x2",
        "a+0xA/0xB",
        "  a line without a program @ x.c:1",
    ] {
        error_of(&STACK.replace("bpf_stream_print_stack+0x7a/0x120", frame));
    }
    for source in [
        "  a = b;",
        "  a = b; @ x.c",
        "  a = b; @ x.c:",
        "  a = b; @ x.c:0",
        "  a = b; @ x.c:1a",
        "  a = b; @ dir/x.c:1",
        "  a = b; @ :1",
        "   a = b; @ x.c:1",
        "  \ta = b; @ x.c:1",
    ] {
        error_of(&STACK.replace(
            "  bpf_stream_print_stack(BPF_STDERR); @ stack.bpf.c:9",
            source,
        ));
    }
}

#[test]
fn a_report_is_serialised() {
    let text = serde_json::to_value(parse(ARENA.as_bytes()).unwrap()).unwrap();
    let report = &text[0];
    assert_eq!(report["event"], "kernel_report");
    assert_eq!(report["kind"], "arena_fault");
    assert_eq!(report["access"], "write");
    assert_eq!(report["address"], "0x100000001000");
    assert_eq!(report["comm"], "bpf-streams-gue");
    assert_eq!(report["frames"][0]["symbol"], "bpf_stream_stage_dump_stack");
    assert_eq!(report["frames"][3]["program"]["name"], "store");
    assert_eq!(report["frames"][3]["source"]["line"], 23);
    let text = serde_json::to_value(parse(DEADLOCK.as_bytes()).unwrap()).unwrap();
    assert_eq!(text[0]["kind"], "lock_deadlock");
    assert_eq!(text[0]["held"][1], "0xffff888103a1c108");
}
