// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Replaces text that differs between two good runs, and nothing else.
//!
//! A placeholder keeps identity: an address that occurs three times becomes `<addr1>` three times, so a
//! report still shows that the attempted and the held lock are the same. One [`Normaliser`] serves all
//! texts of a test, in reading order. The table is [`rules::RULES`]; [`frames`] folds kernel frames,
//! [`verifier`] reduces verifier logs to their message.

mod frames;
mod names;
mod rules;
mod verifier;

use names::Placeholders;

/// Normalises the texts of one test.
#[derive(Debug, Default)]
pub struct Normaliser {
    names: Placeholders,
}

impl Normaliser {
    /// The normalised text of a stream or a note.
    pub fn text(&mut self, text: &str) -> String {
        rules::apply(&frames::fold(text), &mut self.names)
    }

    /// The verifier's message on a rejected program and its last source line, without the trace of
    /// instructions.
    pub fn verifier_log(&mut self, log: &str) -> String {
        rules::apply(&verifier::words(log), &mut self.names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of the kernel as in the stderr of a program.
    const DEADLOCK: &str = "\
ERROR: AA or ABBA deadlock detected for bpf_res_spin_lock
Attempted lock   = 0xffff888103a1c008
Total held locks = 2
Held lock[ 0] = 0xffff888103a1c008
Held lock[ 1] = 0xffff888103a1c108
CPU: 1 UID: 0 PID: 77 Comm: agent
Call trace:
bpf_stream_stage_dump_stack+0x7a/0x120
bpf_res_spin_lock+0x5c/0x90
bpf_prog_5d3b5a4c9a1a7e33_aa+0x4e/0x7c
  if (bpf_res_spin_lock(&v->lock)) @ deadlock.bpf.c:23
bpf_test_run+0x193/0x390
__x64_sys_bpf+0x1a/0x30
do_syscall_64+0x9e/0x1a0

";

    #[test]
    fn a_report_keeps_what_a_reviewer_reads() {
        assert_eq!(
            Normaliser::default().text(DEADLOCK),
            "\
ERROR: AA or ABBA deadlock detected for bpf_res_spin_lock
Attempted lock   = 0x<addr1>
Total held locks = 2
Held lock[ 0] = 0x<addr1>
Held lock[ 1] = 0x<addr2>
CPU: <cpu1> UID: 0 PID: <pid1> Comm: agent
Call trace:
<kernel frames>
bpf_prog_<tag1>_aa+<off1>
  if (bpf_res_spin_lock(&v->lock)) @ deadlock.bpf.c:23
<kernel frames>

"
        );
    }

    #[test]
    fn an_address_has_one_placeholder_in_all_texts_of_a_test() {
        let mut normaliser = Normaliser::default();
        let first = normaliser.text("at ffff888103a1c008\n");
        let second = normaliser.text("Attempted lock   = 0xffff888103a1c008\n");
        assert_eq!(first, "at <addr1>\n");
        assert_eq!(second, "Attempted lock   = 0x<addr1>\n");
    }

    #[test]
    fn a_report_and_the_program_share_the_placeholder_of_an_address() {
        let mut normaliser = Normaliser::default();
        let said = normaliser.text("store at arena address 0x1000000ff8\n");
        let report =
            normaliser.text("ERROR: Arena WRITE access at unmapped address 0x1000000ff8\n");
        assert_eq!(said, "store at arena address 0x<addr1>\n");
        assert_eq!(
            report,
            "ERROR: Arena WRITE access at unmapped address 0x<addr1>\n"
        );
    }

    /// The number of kernel frames around and between those of the program differs by architecture.
    #[test]
    fn two_architectures_give_one_text() {
        let dump = |outer: &str, between: &str| {
            format!(
                "CPU: 0 UID: 0 PID: 7 Comm: agent\nCall trace:\n{outer}\
                 bpf_prog_0123456789abcdef_turn+0x10/0x20\n  *page = 1; @ a.bpf.c:3\n{between}\
                 bpf_prog_5d3b5a4c9a1a7e33_main+0x4e/0x7c\n  bpf_loop(3, turn, NULL, 0); @ a.bpf.c:9\n{outer}\n"
            )
        };
        let one = dump(
            "page_fault_oops+0x1/0x2\nasm_exc_page_fault+0x26/0x30\n",
            "bpf_loop+0x5/0x6\n",
        );
        let other = dump(
            "el1h_64_sync+0x6c/0x70\n",
            "bpf_loop+0x5/0x6\n____bpf_loop+0x7/0x8\n",
        );
        assert_eq!(
            Normaliser::default().text(&one),
            Normaliser::default().text(&other)
        );
    }

    #[test]
    fn two_runs_of_one_test_give_one_text() {
        let other = DEADLOCK
            .replace("ffff888103a1c", "ffff0000c2b04")
            .replace("CPU: 1", "CPU: 0")
            .replace("PID: 77", "PID: 1234")
            .replace("5d3b5a4c9a1a7e33", "0123456789abcdef")
            .replace("+0x4e/0x7c", "+0x100/0x1c0")
            .replace(
                "do_syscall_64+0x9e/0x1a0\n",
                "invoke_syscall+0x48/0x114\nel0_svc+0x30/0xd0\n",
            );
        assert_eq!(
            Normaliser::default().text(&other),
            Normaliser::default().text(DEADLOCK)
        );
    }
}
