// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! What `machine::run` records of guests that go wrong, with a script in the place of virtme-ng.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bpf_streams::env::context::{AccelChoice, Arch, Context, PLAIN};
use bpf_streams::env::progress::Progress;
use bpf_streams::vm::machine::{
    self, HowEnded, RunRecord, RunSpec, Stage, Timeouts, Tools, Userland,
};
use wire::FromGuest;

/// Lies in the clone as it is: a program that a test has only just written may not be run while
/// another test forks, which has it open for writing.
const FAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/machine/virtme_run.py");

/// A run whose guest plays a scene.
struct Run {
    dir: tempfile::TempDir,
    timeouts: Timeouts,
}

impl Run {
    fn of(scene: &str) -> Run {
        let run = Run {
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
            progress: Progress::Silent,
        }
    }

    fn spec(&self) -> RunSpec {
        RunSpec {
            image: self.path("image"),
            arch: Arch::of_this_machine().unwrap(),
            objects: self.path("objects"),
            agent: self.path("agent"),
            bpftool: Some(self.path("bpftool")),
            test_progs: None,
            filter: None,
            run_dir: self.path("last"),
            cpus: 2,
            icount: false,
            timeouts: self.timeouts,
            patience: 1,
            stress: machine::STRESS,
            reader: machine::Reader::Agent,
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
fn a_good_run_is_recorded_whole() {
    let run = Run::of(
        r#"
boot()
console("Linux version 6.12\n")
start()
say({"event": "end", "tests": 0})
console("reboot: Power down\n")
shut_down("guest-shutdown")
"#,
    );
    let mut heard = Vec::new();
    let record = machine::run(&run.context(), &run.spec(), &mut |line: &FromGuest| {
        heard.push(line.clone());
    })
    .unwrap();
    assert_eq!(record.end, HowEnded::PoweredOff);
    assert_eq!(record.qemu_version, "7.2.22");
    assert_eq!(lines(&record).len(), 2);
    assert!(matches!(
        heard[..],
        [FromGuest::Start { .. }, FromGuest::End { tests: 0, .. }]
    ));
    let console = fs::read(run.path("last/console.log")).unwrap();
    assert_eq!(console, b"Linux version 6.12\nreboot: Power down\n");
    assert_eq!(record.console, console);
    let raw = fs::read(run.path("last/channel.raw")).unwrap();
    assert_eq!(raw, lines(&record).concat().into_bytes());
}

#[test]
fn garbage_and_a_line_that_was_cut_are_recorded_as_they_came() {
    let run = Run::of(
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
    let run = Run::of(
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
fn a_qemu_that_dies_says_so_and_is_no_power_off() {
    let killed = Run::of("boot()\nstart('a')\nos.kill(os.getpid(), signal.SIGKILL)\n").record();
    assert!(matches!(killed.end, HowEnded::QemuGone { .. }));
    assert!(killed.end.stopped().is_some());
    assert_eq!(killed.lines.len(), 1);

    let refused = Run::of("sys.exit('qemu-system-x86_64: no such machine')\n").record();
    assert!(matches!(refused.end, HowEnded::QemuGone { .. }));
    let console = String::from_utf8_lossy(&refused.console);
    assert!(console.contains("no such machine"), "{console}");
}

#[test]
fn a_guest_that_says_nothing_is_killed_in_the_stage_where_it_is() {
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
        let mut run = Run::of(&format!("{scene}{wait}"));
        let long = Duration::from_secs(60);
        let short = Duration::from_millis(300);
        let mut timeouts = Timeouts {
            boot: long,
            test: long,
            power_off: long,
            whole: long,
        };
        match expected {
            // Python takes its time to start
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
fn the_whole_run_is_bounded_too() {
    let mut run = Run::of(
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
fn a_request_is_answered_when_qemu_has_carried_it_out() {
    let scene = |result: &str| {
        format!(
            r#"
boot()
commands = monitor.makefile()
assert json.loads(commands.readline()) == {{"execute": "qmp_capabilities"}}
say({{"event": "request", "request": "nmi"}})
# the answer to the command before comes after the request
assert json.loads(commands.readline()) == {{"execute": "inject-nmi", "id": "nmi"}}
tell_qmp({{"return": {{}}}})
tell_qmp({{"id": "nmi", **{result}}})
console(channel.makefile().readline())
shut_down("guest-shutdown")
"#
        )
    };
    let done = Run::of(&scene(r#"{"return": {}}"#)).record();
    assert_eq!(done.console, b"{\"answer\":\"done\"}\n");
    let refused = Run::of(&scene(
        r#"{"error": {"class": "x", "desc": "no NMI here"}}"#,
    ))
    .record();
    let said = String::from_utf8_lossy(&refused.console);
    assert!(said.contains("no NMI here"), "{said}");
}

#[test]
fn a_missing_virtme_ng_is_an_error_that_names_it() {
    let run = Run::of("");
    let mut spec = run.spec();
    spec.tools.virtme_run = "/nowhere/virtme-run".into();
    let error = machine::run(&run.context(), &spec, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("/nowhere/virtme-run"));
}

/// The harness's own process is killed while its guest runs; neither guest nor folder is left.
///
/// The test runs itself once more as that process.
#[test]
fn nothing_is_left_when_the_harness_is_killed() {
    const CHILD: &str = "BPF_STREAMS_TEST_DIES";
    const NAME: &str = "nothing_is_left_when_the_harness_is_killed";
    let scene = r#"
boot()
with open(os.environ["BPF_STREAMS_TEST_DIES"], "w") as file:
    file.write(f"{os.getpid()} {os.environ['TMPDIR']}\n")
time.sleep(1000)
"#;
    if std::env::var_os(CHILD).is_some() {
        Run::of(scene).record();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let told = dir.path().join("told");
    let mut harness = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env(CHILD, &told)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the guest runs", || {
        fs::read_to_string(&told).is_ok_and(|text| text.ends_with('\n'))
    });
    harness.kill().unwrap();
    harness.wait().unwrap();
    let text = fs::read_to_string(&told).unwrap();
    let (pid, folder) = text.trim_end().split_once(' ').unwrap();
    wait_until("the guest is gone", || !is_alive(pid));
    wait_until("its folder is gone", || !Path::new(folder).exists());
}

fn is_alive(pid: &str) -> bool {
    // who has been killed, but not been waited for, is dead too
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "not seen: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
