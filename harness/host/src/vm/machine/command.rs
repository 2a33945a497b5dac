// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The command line of virtme-ng.

use std::ffi::OsString;
use std::path::Path;

use super::accel::Accel;
use super::board::{Board, Init};
use super::root;
use super::scratch::Scratch;
use super::{Reader, RunSpec, Tools};

/// Enough for the longest streams, several at once; and in a kernel with KASAN for arenas, each of
/// which takes 512 MiB of shadow for its 4 GiB of addresses, some time longer than the arena is there.
/// The host pays for what the guest touches only.
const MEMORY: &str = "4G";

/// Parameters of the kernel beside virtme-ng's own.
const PARAMETERS: &[&str] = &[
    // everything but debugging: a splat is only one when the console shows it
    "loglevel=7",
    // virtme-ng's own, with a cache: nobody changes the root meanwhile, and without one every start
    // of a program reads all of it anew (half a second of a boot of x86-64, five of one of arm64)
    "rootflags=version=9p2000.L,trans=virtio,access=any,msize=524288,cache=loose",
];

/// The arguments of virtme-run that boot the agent.
pub fn arguments(spec: &RunSpec, scratch: &Scratch, accel: Accel) -> Vec<OsString> {
    let board = Board::of(spec.arch);
    let mut args = common(&spec.image, &spec.tools, spec.cpus, accel);
    let script = script(spec);
    add(&mut args, &["--arch", spec.arch.names().machine]);
    if board.init == Init::Script {
        add(&mut args, &["--no-virtme-ng-init"]);
    }
    args.push("--root".into());
    args.push(scratch.root().into());
    // the console goes to standard error, and a panic ends the guest
    add(&mut args, &["--show-boot-console", "--script-sh", &script]);
    for parameter in PARAMETERS.iter().chain(board.parameters) {
        add(&mut args, &["--kopt", parameter]);
    }
    // takes all that follows
    args.push("--qemu-opts".into());
    add(&mut args, board.qemu(accel));
    if spec.icount {
        add(&mut args, board.counting);
    }
    args.extend(devices(scratch).map(OsString::from));
    args
}

/// What every guest of ours is given.
pub fn common(image: &Path, tools: &Tools, cpus: u32, accel: Accel) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--kimg".into(), image.into()];
    args.push("--qemu-bin".into());
    args.push(tools.qemu.clone().into());
    // modules are off in our kernels; Debian's virtiofsd is refused by virtme-ng
    add(&mut args, &["--mods", "none", "--force-9p"]);
    add(
        &mut args,
        &["--memory", MEMORY, "--cpus", &cpus.to_string()],
    );
    if accel == Accel::Tcg {
        add(&mut args, &["--disable-kvm"]);
    }
    args
}

/// A port for the results on a controller of its own, and a monitor; QEMU connects to both sockets.
fn devices(scratch: &Scratch) -> impl Iterator<Item = String> {
    let channel = quote_option(&scratch.channel());
    let qmp = quote_option(&scratch.qmp());
    [
        "-device".to_owned(),
        "virtio-serial-pci,id=bpf-streams".to_owned(),
        "-chardev".to_owned(),
        format!("socket,id=bpf-streams-channel,path={channel}"),
        "-device".to_owned(),
        format!(
            "virtserialport,bus=bpf-streams.0,chardev=bpf-streams-channel,name={}",
            wire::PORT
        ),
        "-chardev".to_owned(),
        format!("socket,id=bpf-streams-qmp,path={qmp}"),
        "-mon".to_owned(),
        "chardev=bpf-streams-qmp,mode=control".to_owned(),
    ]
    .into_iter()
}

/// What the guest's shell runs.
fn script(spec: &RunSpec) -> String {
    let (patience, stress) = (spec.patience, spec.stress.as_secs());
    let mut script = format!(
        "exec {} --timeout-scale {patience} --stress {stress}",
        root::AGENT
    );
    if spec.reader == Reader::Bpftool {
        script.push_str(" --bpftool");
    }
    if spec.test_progs.is_some() {
        script.push_str(&format!(" --test-progs {}", root::TEST_PROGS));
    }
    if let Some(filter) = &spec.filter {
        script.push_str(&format!(" --filter {}", quote_shell(filter)));
    }
    script
}

/// A value in QEMU's lists of options.
fn quote_option(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

/// A word for the shell.
fn quote_shell(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn add(args: &mut Vec<OsString>, more: &[&str]) {
    args.extend(more.iter().map(OsString::from));
}

#[cfg(test)]
mod tests {
    use super::super::{STRESS, Timeouts, Userland};
    use super::*;
    use crate::env::context::Arch;

    fn tools() -> Tools {
        Tools {
            virtme_run: "virtme-run".into(),
            qemu: "qemu".into(),
            userland: Userland {
                busybox: "busybox".into(),
                bash: None,
            },
        }
    }

    fn spec(arch: Arch, filter: Option<&str>) -> RunSpec {
        RunSpec {
            image: "image".into(),
            arch,
            objects: "objects".into(),
            agent: "agent".into(),
            bpftool: Some("bpftool".into()),
            test_progs: None,
            filter: filter.map(str::to_owned),
            run_dir: "last".into(),
            cpus: 2,
            icount: false,
            timeouts: Timeouts::default(),
            patience: 3,
            stress: STRESS,
            reader: Reader::Agent,
            tools: tools(),
        }
    }

    #[test]
    fn a_filter_reaches_the_agent_as_one_word() {
        assert_eq!(
            script(&spec(Arch::X86_64, Some("^a' b|$(c)"))),
            r"exec /bin/bpf-streams-guest --timeout-scale 3 --stress 1 --filter '^a'\'' b|$(c)'"
        );
        assert_eq!(
            script(&spec(Arch::X86_64, None)),
            "exec /bin/bpf-streams-guest --timeout-scale 3 --stress 1"
        );
        let of_tree = RunSpec {
            test_progs: Some("out/test_progs".into()),
            ..spec(Arch::X86_64, None)
        };
        assert_eq!(
            script(&of_tree),
            "exec /bin/bpf-streams-guest --timeout-scale 3 --stress 1 --test-progs /bin/test_progs"
        );
    }

    #[test]
    fn the_agent_is_told_to_read_by_bpftool() {
        let spec = RunSpec {
            reader: Reader::Bpftool,
            ..spec(Arch::X86_64, None)
        };
        assert_eq!(
            script(&spec),
            "exec /bin/bpf-streams-guest --timeout-scale 3 --stress 1 --bpftool"
        );
    }

    #[test]
    fn a_guest_of_arm64_gets_a_processor_an_init_and_nmis() {
        let words = |arch, accel| -> Vec<String> {
            let scratch = Scratch::new().unwrap();
            arguments(&spec(arch, None), &scratch, accel)
                .iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect()
        };
        let has = |words: &[String], word: &str| words.iter().any(|known| known == word);
        let emulated = words(Arch::Arm64, Accel::Tcg);
        assert!(has(&emulated, "max,pauth-impdef=on") && has(&emulated, "--no-virtme-ng-init"));
        assert!(has(&emulated, "irqchip.gicv3_pseudo_nmi=1"));
        let native = words(Arch::Arm64, Accel::Kvm);
        assert!(!has(&native, "max,pauth-impdef=on") && has(&native, "--no-virtme-ng-init"));
        assert!(!has(
            &words(Arch::X86_64, Accel::Tcg),
            "--no-virtme-ng-init"
        ));
    }

    #[test]
    fn a_clock_that_counts_instructions_is_asked_for_by_name() {
        let has = |icount| {
            let spec = RunSpec {
                icount,
                ..spec(Arch::X86_64, None)
            };
            let scratch = Scratch::new().unwrap();
            arguments(&spec, &scratch, Accel::Tcg).contains(&OsString::from("-icount"))
        };
        assert!(has(true) && !has(false));
    }

    #[test]
    fn a_comma_in_a_path_does_not_end_the_option() {
        assert_eq!(quote_option(Path::new("/tmp/a,b")), "/tmp/a,,b");
    }

    #[test]
    fn only_emulation_switches_kvm_off() {
        let tools = tools();
        let has = |accel| {
            common(Path::new("image"), &tools, 2, accel).contains(&OsString::from("--disable-kvm"))
        };
        assert!(has(Accel::Tcg));
        assert!(!has(Accel::Kvm));
    }
}
