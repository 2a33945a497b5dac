// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The records of `machine::run` for failing guests, with a script instead of virtme-ng.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bpf_streams::env::context::{AccelChoice, Arch, Context, PLAIN};
use bpf_streams::env::guest_machine::GuestMachine;
use bpf_streams::env::progress::Progress;
use bpf_streams::vm::machine::{
    self, HowEnded, RunRecord, RunSpec, Stage, Timeouts, Tools, Userland,
};
use wire::FromGuest;

/// A file of the clone, not one that the test writes: a program that is still open for writing in the child
/// of another test cannot be executed.
const FAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/machine/virtme_run.py");

/// A run whose guest is a scene.
struct MachineTest {
    dir: tempfile::TempDir,
    timeouts: Timeouts,
}

impl MachineTest {
    fn of(scene: &str) -> MachineTest {
        let run = MachineTest {
            dir: tempfile::tempdir().unwrap(),
            timeouts: Timeouts::default(),
        };
        for folder in ["objects", "cache"] {
            fs::create_dir(run.path(folder)).unwrap();
        }
        fs::write(run.path("agent"), "").unwrap();
        fs::write(run.path("bpftool"), "").unwrap();
        fs::write(run.path("image"), scene).unwrap();
        run
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn context(&self) -> Context {
        Context {
            repo: self.dir.path().to_path_buf(),
            cache: self.path("cache"),
            base: "v6.12".into(),
            arch: Arch::of_this_machine().unwrap(),
            config: PLAIN.into(),
            accel: AccelChoice::Tcg,
            kernel: None,
            ci: false,
            jobs: 1,
            setup: Duration::ZERO,
            progress: Progress::Silent,
        }
    }

    fn spec(&self) -> RunSpec {
        RunSpec {
            image: self.path("image"),
            arch: Arch::of_this_machine().unwrap(),
            machine: GuestMachine::default(),
            objects: self.path("objects"),
            agent: self.path("agent"),
            bpftool: Some(self.path("bpftool")),
            test_progs: None,
            filter: None,
            run_dir: self.path("last"),
            cpus: 2,
            icount: false,
            timeouts: self.timeouts,
            timeout_scale: 1,
            stress: machine::default_stress(PLAIN),
            reader: machine::StreamReader::Agent,
            tools: Tools {
                virtme_run: FAKE.into(),
                qemu: "qemu".into(),
                userland: Userland {
                    busybox: "/bin/busybox".into(),
                    bash: None,
                },
            },
        }
    }

    fn record(&self) -> RunRecord {
        machine::run(&self.context(), &self.spec(), &mut |_| {}).unwrap()
    }
}

fn lines(record: &RunRecord) -> Vec<String> {
    record
        .lines
        .iter()
        .map(|line| String::from_utf8_lossy(&line.0).into_owned())
        .collect()
}

#[test]
fn a_good_run_is_recorded_completely() {
    let run = MachineTest::of(
        r#"
boot()
console("Linux version 6.12\n")
start()
say({"event": "end", "tests": 0})
console("reboot: Power down\n")
shut_down("guest-shutdown")
"#,
    );
    let mut listened = Vec::new();
    let record = machine::run(&run.context(), &run.spec(), &mut |line: &FromGuest| {
        listened.push(line.clone());
    })
    .unwrap();
    assert_eq!(record.end, HowEnded::PoweredOff);
    assert_eq!(record.qemu_version, "7.2.22");
    assert_eq!(lines(&record).len(), 2);
    assert!(matches!(
        listened[..],
        [FromGuest::Start { .. }, FromGuest::End { tests: 0, .. }]
    ));
    let console = fs::read(run.path("last/console.log")).unwrap();
    assert_eq!(console, b"Linux version 6.12\nreboot: Power down\n");
    assert_eq!(record.console, console);
    let raw = fs::read(run.path("last/channel.raw")).unwrap();
    assert_eq!(raw, lines(&record).concat().into_bytes());
}

#[test]
fn invalid_and_truncated_lines_are_recorded() {
    let run = MachineTest::of(
        r#"
boot()
channel.sendall(b"\xff\x00garbage\n" + b'{"event": "end", ')
shut_down("guest-shutdown")
"#,
    );
    let lines: Vec<Vec<u8>> = run.record().lines.into_iter().map(|line| line.0).collect();
    assert_eq!(
        lines,
        [&b"\xff\x00garbage\n"[..], b"{\"event\": \"end\", "].map(<[u8]>::to_vec)
    );
}

#[test]
fn a_panic_is_a_reset() {
    let run = MachineTest::of(
        r#"
boot()
console("Kernel panic - not syncing\n")
shut_down("guest-reset")
"#,
    );
    let record = run.record();
    assert_eq!(record.end, HowEnded::Reset);
    assert!(record.lines.is_empty());
}

#[test]
fn a_dead_qemu_is_not_a_power_off() {
    let killed =
        MachineTest::of("boot()\nstart('a')\nos.kill(os.getpid(), signal.SIGKILL)\n").record();
    assert!(matches!(killed.end, HowEnded::QemuGone { .. }));
    assert!(killed.end.stopped().is_some());
    assert_eq!(killed.lines.len(), 1);

    let refused = MachineTest::of("sys.exit('qemu-system-x86_64: no such machine')\n").record();
    assert!(matches!(refused.end, HowEnded::QemuGone { .. }));
    let console = String::from_utf8_lossy(&refused.console);
    assert!(console.contains("no such machine"), "{console}");
}

#[test]
fn a_silent_guest_is_killed_at_the_limit_of_its_stage() {
    let wait = "time.sleep(1000)\n";
    let scenes = [
        ("boot()\nconsole('booting\\n')\n", Stage::Boot),
        (
            "boot()\nstart('a')\nsay({'event': 'test_start', 'test': 'a'})\n",
            Stage::Test("a".into()),
        ),
        ("boot()\nstart('a')\n", Stage::Between),
        (
            "boot()\nstart()\nsay({'event': 'end', 'tests': 0})\n",
            Stage::PowerOff,
        ),
    ];
    for (scene, expected) in scenes {
        let mut run = MachineTest::of(&format!("{scene}{wait}"));
        let long = Duration::from_secs(60);
        let short = Duration::from_millis(300);
        let mut timeouts = Timeouts {
            boot: long,
            test: long,
            power_off: long,
            whole: long,
        };
        match expected {
            // Python starts slowly
            Stage::Boot => timeouts.boot = Duration::from_secs(2),
            Stage::PowerOff => timeouts.power_off = short,
            _ => timeouts.test = short,
        }
        run.timeouts = timeouts;
        match run.record().end {
            HowEnded::TimedOut { stage, .. } => assert_eq!(stage, expected),
            other => panic!("{expected:?}: {other:?}"),
        }
    }
}

#[test]
fn the_whole_run_has_a_limit() {
    let mut run = MachineTest::of(
        r#"
boot()
start("a")
while True:
    say({"event": "test_start", "test": "a"})
    time.sleep(0.05)
"#,
    );
    run.timeouts.whole = Duration::from_secs(2);
    assert!(matches!(
        run.record().end,
        HowEnded::TimedOut {
            stage: Stage::Whole,
            ..
        }
    ));
}

#[test]
fn a_request_is_answered_after_qemu_executed_it() {
    let scene = |result: &str| {
        format!(
            r#"
boot()
commands = monitor.makefile()
assert json.loads(commands.readline()) == {{"execute": "qmp_capabilities"}}
say({{"event": "request", "request": "nmi"}})
# the answer to the previous command comes after the request
assert json.loads(commands.readline()) == {{"execute": "inject-nmi", "id": "nmi"}}
tell_qmp({{"return": {{}}}})
tell_qmp({{"id": "nmi", **{result}}})
console(channel.makefile().readline())
shut_down("guest-shutdown")
"#
        )
    };
    let done = MachineTest::of(&scene(r#"{"return": {}}"#)).record();
    assert_eq!(done.console, b"{\"answer\":\"done\"}\n");
    let refused = MachineTest::of(&scene(
        r#"{"error": {"class": "x", "desc": "no NMI here"}}"#,
    ))
    .record();
    let answer = String::from_utf8_lossy(&refused.console);
    assert!(answer.contains("no NMI here"), "{answer}");
}

/// Two guests of a scene share the tests; the longest is handed out first.
fn two_guests(scene: &str, limit: Duration) -> Vec<RunRecord> {
    let mut run = MachineTest::of(scene);
    run.timeouts.test = limit;
    let specs = ["guest-1", "guest-2"].map(|name| RunSpec {
        run_dir: run.path(name),
        ..run.spec()
    });
    let times = [("a", 1), ("b", 2), ("whole", 9)].map(|(test, time)| (test.to_owned(), time));
    let records = machine::run_several(&run.context(), &specs, times.into(), &|_, _| {}).unwrap();
    for name in ["guest-1", "guest-2"] {
        assert!(run.path(name).join("channel.raw").is_file());
    }
    records
}

/// The tests that were handed to the guests, sorted.
fn handed(records: &[RunRecord]) -> Vec<&str> {
    let handed = records.iter().flat_map(|record| &record.handed);
    let mut handed: Vec<&str> = handed.map(String::as_str).collect();
    handed.sort_unstable();
    handed
}

#[test]
fn guests_share_the_tests() {
    let scene = r#"
boot()
start("a", "b", "whole")
for test in tests():
    time.sleep(0.1)
shut_down("guest-shutdown")
"#;
    let records = two_guests(scene, Duration::from_secs(60));
    assert_eq!(handed(&records), ["a", "b", "whole"]);
    assert!(
        records
            .iter()
            .any(|record| record.handed.first().is_some_and(|test| test == "whole"))
    );
    for record in &records {
        assert_eq!(record.end, HowEnded::PoweredOff);
        assert_eq!(record.lines.len(), 2 + 2 * record.handed.len());
    }
}

#[test]
fn a_guest_that_waits_to_be_alone_is_not_timed() {
    let scene = r#"
late = not is_first()
if late:
    time.sleep(3)
boot()
start("a", "b", "whole", alone=["whole"])
for test in tests():
    assert not late
shut_down("guest-shutdown")
"#;
    let records = two_guests(scene, Duration::from_secs(2));
    for record in &records {
        assert_eq!(record.end, HowEnded::PoweredOff);
    }
    let (first, second) = (&records[0].handed, &records[1].handed);
    let (all, none) = if second.is_empty() {
        (first, second)
    } else {
        (second, first)
    };
    assert_eq!(
        all[..],
        ["b", "a", "whole"],
        "the test that runs alone is last"
    );
    assert_eq!(none[..], [""; 0]);
}

#[test]
fn a_guest_that_dies_leaves_the_rest_to_the_other() {
    let scene = r#"
dies = is_first()
boot()
start("a", "b", "whole", alone=["whole"])
for test in tests():
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
shut_down("guest-shutdown")
"#;
    let records = two_guests(scene, Duration::from_secs(60));
    assert_eq!(handed(&records), ["a", "b", "whole"]);
    let (dead, other): (Vec<&RunRecord>, Vec<&RunRecord>) = records
        .iter()
        .partition(|record| matches!(record.end, HowEnded::QemuGone { .. }));
    let ([dead], [other]) = (&dead[..], &other[..]) else {
        panic!("{records:?}");
    };
    assert_eq!(dead.handed.len(), 1);
    assert_eq!(other.end, HowEnded::PoweredOff);
}

#[test]
fn the_error_for_a_missing_virtme_ng_names_its_path() {
    let run = MachineTest::of("");
    let mut spec = run.spec();
    spec.tools.virtme_run = "/nowhere/virtme-run".into();
    let error = machine::run(&run.context(), &spec, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("/nowhere/virtme-run"));
}

/// The process of the harness is killed while its guest runs; guest and folder are removed. The test runs
/// itself as that process.
#[test]
fn nothing_is_left_when_the_harness_is_killed() {
    const CHILD: &str = "BPF_STREAMS_TEST_IS_KILLED";
    const NAME: &str = "nothing_is_left_when_the_harness_is_killed";
    let scene = r#"
boot()
with open(os.environ["BPF_STREAMS_TEST_IS_KILLED"], "w") as file:
    file.write(f"{os.getpid()} {os.environ['TMPDIR']}\n")
time.sleep(1000)
"#;
    if std::env::var_os(CHILD).is_some() {
        MachineTest::of(scene).record();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report");
    let mut harness = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env(CHILD, &report)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the guest runs", || {
        fs::read_to_string(&report).is_ok_and(|text| text.ends_with('\n'))
    });
    harness.kill().unwrap();
    harness.wait().unwrap();
    let text = fs::read_to_string(&report).unwrap();
    let (pid, folder) = text.trim_end().split_once(' ').unwrap();
    wait_until("the guest is killed", || !is_alive(pid));
    wait_until("its folder is removed", || !Path::new(folder).exists());
}

fn is_alive(pid: &str) -> bool {
    // a zombie is dead
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "timed out: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
