// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Guests that fail: a real kernel in a real QEMU, with a misbehaving agent.
//!
//! The agent is a shell script, which can panic the kernel, die, hang, and write false lines to the
//! channel. The first test shows that the same script without a fault passes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use bpf_streams::build::agent;
use bpf_streams::build::kernel::{self, Kernel};
use bpf_streams::build::selftests;
use bpf_streams::cmd::pipeline;
use bpf_streams::env::context::{AccelChoice, Arch, Context, PLAIN, find_cache, find_repo};
use bpf_streams::env::guest_machine::GuestMachine;
use bpf_streams::env::progress::Progress;
use bpf_streams::judge::verdict::{Expected, Fault, Verdict};
use bpf_streams::vm::machine::{self, HowEnded, RunRecord, RunSpec, Stage, Timeouts, Times, Tools};
use wire::{FromGuest, PROTOCOL};

#[allow(dead_code)]
#[path = "../src/test_support.rs"]
mod test_support;

use test_support::write_executable;

/// Opens the channel as descriptor 3 and defines the lines of a good run.
const PRELUDE: &str = r#"#!/bin/sh
for port in /sys/class/virtio-ports/*; do
    read -r name < "$port/name" && [ "$name" = bpf-streams.0 ] && break
done
exec 3<> "/dev/${port##*/}"
say() { echo "$1" >&3; }
start() {
    release=$(busybox uname -r) machine=$(busybox uname -m)
    say '{"event":"start","protocol":PROTOCOL,"kernel":"'$release'","machine":"'$machine'","cpus":2,"tests":["a__x","a__y"],"alone":[],"empty_objects":[]}'
}
begin() { say '{"event":"test_start","test":"'$1'"}'; }
report() { say '{"event":"test","test":"'$1'","outcome":{"kind":"ran","retval":0},"stdout":"","stderr":"","notes":[],"micros":1}'; }
end() { say '{"event":"end","tests":'$1'}'; }
next() {
    read -r answer <&3
    case $answer in
    *'"run"'*) test=${answer#*'"test":"'} test=${test%%'"'*} ;;
    *) return 1 ;;
    esac
}
"#;

/// Long enough for a loaded machine; tests shorten the time-out of one stage.
const PATIENT: Timeouts = Timeouts {
    boot: Duration::from_secs(120),
    test: Duration::from_secs(120),
    power_off: Duration::from_secs(60),
    whole: Duration::from_secs(300),
};

static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context {
    repo: find_repo().unwrap(),
    cache: find_cache().unwrap(),
    base: "v6.12".to_owned(),
    arch: Arch::of_this_machine().unwrap(),
    config: PLAIN.to_owned(),
    // KVM cannot be probed with a QEMU that is a script.
    accel: AccelChoice::Tcg,
    kernel: std::env::var_os("KERNEL")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from),
    ci: false,
    jobs: 2,
    setup: Duration::ZERO,
    progress: Progress::Silent,
});

/// The kernel, built if it is missing: these tests are never skipped.
static KERNEL: LazyLock<Kernel> = LazyLock::new(|| kernel::build(&CONTEXT).unwrap());

/// A guest that runs a script instead of the agent.
struct Guest {
    dir: tempfile::TempDir,
    spec: RunSpec,
}

/// The result of a guest.
struct Outcome {
    record: RunRecord,
    verdict: Verdict,
}

impl Guest {
    fn with_agent(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("objects")).unwrap();
        let agent = program(
            dir.path(),
            "agent",
            &format!(
                "{}{script}\n",
                PRELUDE.replace("PROTOCOL", &PROTOCOL.to_string())
            ),
        );
        let spec = RunSpec {
            image: KERNEL.image.clone(),
            arch: CONTEXT.arch,
            machine: GuestMachine::default(),
            objects: dir.path().join("objects"),
            // the scripts do not use bpftool
            bpftool: Some(agent.clone()),
            agent,
            test_progs: None,
            filter: None,
            run_dir: dir.path().join("run"),
            cpus: machine::CPUS,
            icount: false,
            timeouts: PATIENT,
            timeout_scale: 1,
            stress: machine::default_stress(PLAIN),
            reader: machine::StreamReader::Agent,
            tools: Tools::find(&CONTEXT).unwrap(),
        };
        Self { dir, spec }
    }

    /// Runs shell `commands` before QEMU, whose arguments are `"$@"`.
    fn before_qemu(mut self, commands: &str) -> Self {
        let qemu = self.spec.tools.qemu.display();
        let script = format!("#!/bin/sh\n{commands}\nexec '{qemu}' \"$@\"\n");
        self.spec.tools.qemu = program(self.dir.path(), "qemu", &script);
        self
    }

    fn run(&self) -> Outcome {
        self.run_with(&mut |_| {})
    }

    fn run_with(&self, listener: &mut dyn FnMut(&FromGuest)) -> Outcome {
        let mut listener = |line: &FromGuest| listener(line);
        let record = machine::run(&CONTEXT, &self.spec, &mut listener).unwrap();
        let machine = CONTEXT.arch.names().machine;
        let verdict = pipeline::judge(
            std::slice::from_ref(&record),
            &Expected {
                release: Some(&KERNEL.release),
                machine,
                filter: None,
                features: &[],
            },
        );
        Outcome { record, verdict }
    }
}

impl Outcome {
    /// The faults and the console, for the message of a failed test.
    fn shown(&self) -> String {
        let faults: String = self
            .verdict
            .faults
            .iter()
            .map(|fault| format!("{fault}\n"))
            .collect();
        format!(
            "{faults}{:?}\n{}",
            self.record.end,
            String::from_utf8_lossy(&self.record.console)
        )
    }

    #[track_caller]
    fn expect(&self, what: &str, is_it: impl Fn(&Fault) -> bool) {
        assert!(
            self.verdict.faults.iter().any(is_it),
            "expected {what} in:\n{}",
            self.shown()
        );
    }
}

/// Two guests that run this script share the tests.
fn two_guests(script: &str) -> (Vec<RunRecord>, Verdict) {
    let guest = Guest::with_agent(script);
    let specs = ["guest-1", "guest-2"].map(|name| RunSpec {
        run_dir: guest.dir.path().join(name),
        ..guest.spec.clone()
    });
    let records = machine::run_several(&CONTEXT, &specs, Times::new(), &|_, _| {}).unwrap();
    let expected = Expected {
        release: Some(&KERNEL.release),
        machine: CONTEXT.arch.names().machine,
        filter: None,
        features: &[],
    };
    let verdict = pipeline::judge(&records, &expected);
    (records, verdict)
}

fn program(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    write_executable(&path, text);
    path
}

fn died_in_x(fault: &Fault) -> bool {
    matches!(fault, Fault::NeverReported { died_in: Some(test), .. } if test == "a__x")
}

fn splat<'a>(name: &'a str, in_test: Option<&'a str>) -> impl Fn(&Fault) -> bool + 'a {
    move |fault| matches!(fault, Fault::Splat { splat, during } if splat.names.contains(&name) && during.as_deref() == in_test)
}

#[test]
fn a_script_without_a_fault_passes() {
    let outcome =
        Guest::with_agent("start; begin a__x; report a__x; begin a__y; report a__y; end 2").run();
    assert_eq!(outcome.verdict.faults, [], "{}", outcome.shown());
    assert_eq!(outcome.verdict.reports.len(), 2);
    assert_eq!(outcome.record.end, HowEnded::PoweredOff);
}

#[test]
fn a_warning_fails_an_otherwise_good_run() {
    let outcome = Guest::with_agent(
        "start; begin a__x; report a__x\n\
         echo 'WARNING: CPU: 0 PID: 1 at kernel/bpf/stream.c:1 faked+0x1/0x2' > /dev/kmsg\n\
         begin a__y; report a__y; end 2",
    )
    .run();
    assert_eq!(outcome.verdict.faults.len(), 1, "{}", outcome.shown());
    outcome.expect("the warning", splat("warning", None));
}

#[test]
fn a_stack_trace_fails_an_otherwise_good_run() {
    let outcome = Guest::with_agent(
        "start; begin a__x; echo l > /proc/sysrq-trigger; report a__x; begin a__y; report a__y; end 2",
    )
    .run();
    outcome.expect("the stack trace", splat("stack trace", None));
}

#[test]
fn a_panic_at_boot_is_reported() {
    let outcome = Guest::with_agent("start")
        .before_qemu(
            "for word; do shift; set -- \"$@\" \"$(printf %s \"$word\" | sed 's, init=, init=/nowhere was=,')\"; done",
        )
        .run();
    outcome.expect("the panic", splat("panic", None));
    outcome.expect("that nothing was said", |fault| *fault == Fault::NoStart);
    assert_eq!(outcome.record.end, HowEnded::Reset, "{}", outcome.shown());
}

#[test]
fn a_kernel_that_panics_in_a_test_names_the_test() {
    let outcome = Guest::with_agent("start; begin a__x; echo c > /proc/sysrq-trigger").run();
    outcome.expect("the panic in its test", splat("panic", Some("a__x")));
    outcome.expect("the test", died_in_x);
    outcome.expect("the missing end", |fault| *fault == Fault::NoEnd);
    assert!(
        outcome.shown().contains("TEST='^a__x$'"),
        "{}",
        outcome.shown()
    );
}

#[test]
fn two_guests_share_the_tests() {
    let (records, verdict) = two_guests(
        "start; n=0; while next; do begin $test; report $test; n=$((n + 1)); done; end $n",
    );
    assert_eq!(verdict.faults, []);
    assert_eq!(verdict.reports.len(), 2);
    assert!(
        records
            .iter()
            .all(|record| record.end == HowEnded::PoweredOff)
    );
}

#[test]
fn a_guest_that_panics_fails_its_test_only() {
    let (records, verdict) = two_guests(
        "start; n=0\n\
         while next; do\n\
             begin $test\n\
             [ $test = a__x ] && echo c > /proc/sysrq-trigger\n\
             report $test; n=$((n + 1))\n\
         done; end $n",
    );
    let resets = (1..)
        .zip(&records)
        .filter(|(_, record)| record.end == HowEnded::Reset);
    let numbers: Vec<usize> = resets.map(|(number, _)| number).collect();
    let [number] = numbers[..] else {
        panic!("{numbers:?} panicked: {:?}", verdict.faults);
    };
    assert!(verdict.report("a__y").is_some() && verdict.report("a__x").is_none());
    let in_guest = |what: &str, is_it: &dyn Fn(&Fault) -> bool| {
        let found = verdict.faults.iter().any(
            |fault| matches!(fault, Fault::InGuest { guest, fault } if *guest == number && is_it(fault)),
        );
        assert!(found, "expected {what} in: {:?}", verdict.faults);
    };
    in_guest("the panic in its test", &splat("panic", Some("a__x")));
    in_guest("the test", &died_in_x);
    assert!(
        verdict
            .faults
            .iter()
            .all(|fault| fault.guest() == Some(number))
    );
}

#[test]
fn a_guest_that_hangs_at_boot_is_killed_in_time() {
    // -S stops the CPUs before their first instruction.
    let mut guest = Guest::with_agent("start").before_qemu("set -- \"$@\" -S");
    guest.spec.timeouts.boot = Duration::from_secs(4);
    let outcome = guest.run();
    assert!(
        matches!(
            outcome.record.end,
            HowEnded::TimedOut {
                stage: Stage::Boot,
                ..
            }
        ),
        "{}",
        outcome.shown()
    );
    outcome.expect(
        "why it was stopped",
        |fault| matches!(fault, Fault::Stopped { how, .. } if how.contains("while it booted")),
    );
    outcome.expect("that nothing was said", |fault| *fault == Fault::NoStart);
    assert!(
        outcome.record.time < PATIENT.boot,
        "{:?}",
        outcome.record.time
    );
}

#[test]
fn a_guest_that_hangs_in_a_test_is_killed_in_time() {
    let mut guest = Guest::with_agent("start; begin a__x; while :; do busybox sleep 1; done");
    guest.spec.timeouts.test = Duration::from_secs(3);
    let outcome = guest.run();
    assert!(
        matches!(&outcome.record.end, HowEnded::TimedOut { stage: Stage::Test(test), .. } if test == "a__x"),
        "{}",
        outcome.shown()
    );
    outcome.expect("the test", died_in_x);
}

#[test]
fn an_agent_that_dies_leaves_its_test_unreported() {
    let outcome = Guest::with_agent("start; begin a__x; kill -9 $$").run();
    outcome.expect("the test", died_in_x);
    outcome.expect("the missing end", |fault| *fault == Fault::NoEnd);
}

#[test]
fn an_agent_that_cannot_start_is_reported() {
    let mut guest = Guest::with_agent("");
    guest.spec.agent = program(guest.dir.path(), "no-agent", "#!/no/such/interpreter\n");
    let outcome = guest.run();
    outcome.expect("that nothing was said", |fault| *fault == Fault::NoStart);
}

#[test]
fn a_channel_that_is_cut_in_a_line_is_a_fault() {
    let outcome =
        Guest::with_agent("start; begin a__x; busybox printf '{\"event\":\"test\",\"ca' >&3").run();
    outcome.expect(
        "the cut",
        |fault| matches!(fault, Fault::Cut { text, .. } if text.ends_with("ca")),
    );
    outcome.expect("the test", died_in_x);
}

#[test]
fn a_repeated_test_a_missing_test_and_garbage_are_all_reported() {
    let outcome = Guest::with_agent(
        "start; begin a__x; report a__x; begin a__x; report a__x\n\
         busybox printf '\\377\\000garbage\\n' >&3\n\
         end 2",
    )
    .run();
    outcome.expect(
        "the second report",
        |fault| matches!(fault, Fault::ReportedTwice { test } if test == "a__x"),
    );
    outcome.expect("the missing one", |fault| {
        matches!(fault, Fault::NeverReported { tests, died_in: None } if tests == &["a__y"])
    });
    outcome.expect(
        "the garbage",
        |fault| matches!(fault, Fault::Garbage { text, .. } if text.contains("\\xff\\x00garbage")),
    );
}

#[test]
fn a_killed_qemu_is_a_fault() {
    let guest = Guest::with_agent("start; begin a__x; while :; do busybox sleep 1; done")
        .before_qemu("echo $$ > \"${0%/*}/pid\"");
    let pid_file = guest.dir.path().join("pid");
    let outcome = guest.run_with(&mut |line| {
        if matches!(line, FromGuest::TestStart { .. }) {
            let pid = fs::read_to_string(&pid_file).unwrap();
            let kill = Command::new("kill").args(["-KILL", pid.trim()]).status();
            assert!(kill.unwrap().success());
        }
    });
    assert!(
        matches!(outcome.record.end, HowEnded::QemuGone { .. }),
        "{}",
        outcome.shown()
    );
    outcome.expect(
        "why it was stopped",
        |fault| matches!(fault, Fault::Stopped { how, .. } if how.contains("QEMU was killed")),
    );
    outcome.expect("the test", died_in_x);
}

#[test]
fn the_agent_reports_an_object_without_a_program() {
    let mut guest = Guest::with_agent("");
    guest.spec.agent = agent::build(&CONTEXT).unwrap();
    let object = guest.spec.objects.join("empty.bpf.o");
    let mut clang = Command::new(selftests::CLANG)
        .args(["-target", "bpf", "-g", "-O2", "-c", "-x", "c", "-", "-o"])
        .arg(&object)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let source = b"int without_a_program;\n";
    clang.stdin.take().unwrap().write_all(source).unwrap();
    assert!(clang.wait().unwrap().success());
    let outcome = guest.run();
    outcome.expect(
        "the object",
        |fault| matches!(fault, Fault::EmptyObject { object } if object == "empty.bpf.o"),
    );
    outcome.expect("that nothing was tested", |fault| {
        matches!(fault, Fault::NoTests { filter: None })
    });
}
