// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The command line of virtme-ng.

use std::ffi::OsString;
use std::path::Path;

use super::accel::Accel;
use super::board::{Board, Init};
use super::root;
use super::scratch::Scratch;
use super::{RunSpec, StreamReader, Tools};
use crate::env::command::quote;
use crate::env::guest_machine::GuestMachine;

/// Enough for several streams of maximum length; and with KASAN for arenas, each of which has 512 MiB of
/// shadow memory for its 4 GiB of addresses, freed some time after the arena. The host allocates only
/// the memory that the guest uses.
const MEMORY: &str = "4G";

/// Kernel parameters in addition to those of virtme-ng.
const PARAMETERS: &[&str] = &[
    // all levels but debug: splats are found on the console
    "loglevel=7",
    // as virtme-ng's, with a cache: the root does not change, and without a cache every exec reads the
    // whole program over 9p (0.5 s of a boot on x86-64, 5 s on arm64)
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
    args.extend(parameters(&spec.machine));
    // the rest of the arguments are QEMU's
    args.push("--qemu-opts".into());
    add(&mut args, board.qemu(accel));
    // overrides the board
    args.extend(spec.machine.qemu.iter().map(OsString::from));
    if spec.icount {
        add(&mut args, board.counting);
    }
    args.extend(devices(scratch).map(OsString::from));
    args
}

/// The kernel parameters of a configuration.
pub fn parameters(machine: &GuestMachine) -> impl Iterator<Item = OsString> {
    let parameters = machine.parameters.iter();
    parameters.flat_map(|parameter| ["--kopt".into(), parameter.into()])
}

/// Arguments for every guest.
pub fn common(image: &Path, tools: &Tools, cpus: u32, accel: Accel) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--kimg".into(), image.into()];
    args.push("--qemu-bin".into());
    args.push(tools.qemu.clone().into());
    // the kernels have no modules; virtme-ng rejects Debian's virtiofsd
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

/// The port for results, on a separate controller, and the monitor; QEMU connects to both sockets.
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

/// The command of the guest's shell.
fn script(spec: &RunSpec) -> String {
    let (scale, stress) = (spec.timeout_scale, spec.stress.as_millis());
    let mut script = format!(
        "exec {} --timeout-scale {scale} --stress-ms {stress}",
        root::AGENT
    );
    if spec.reader == StreamReader::Bpftool {
        script.push_str(" --bpftool");
    }
    if spec.test_progs.is_some() {
        script.push_str(&format!(" --test-progs {}", root::TEST_PROGS));
    }
    if let Some(filter) = &spec.filter {
        script.push_str(&format!(" --filter {}", quote(filter)));
    }
    script
}

/// Quotes a value of a QEMU option.
fn quote_option(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

fn add(args: &mut Vec<OsString>, more: &[&str]) {
    args.extend(more.iter().map(OsString::from));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Timeouts, Userland};
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
            machine: GuestMachine::default(),
            objects: "objects".into(),
            agent: "agent".into(),
            bpftool: Some("bpftool".into()),
            test_progs: None,
            filter: filter.map(str::to_owned),
            run_dir: "last".into(),
            cpus: 2,
            icount: false,
            timeouts: Timeouts::default(),
            timeout_scale: 3,
            stress: Duration::from_millis(250),
            reader: StreamReader::Agent,
            tools: tools(),
        }
    }

    #[test]
    fn a_filter_reaches_the_agent_as_one_word() {
        assert_eq!(
            script(&spec(Arch::X86_64, Some("^a' b|$(c)"))),
            r"exec /bin/bpf-streams-guest --timeout-scale 3 --stress-ms 250 --filter '^a'\'' b|$(c)'"
        );
        assert_eq!(
            script(&spec(Arch::X86_64, None)),
            "exec /bin/bpf-streams-guest --timeout-scale 3 --stress-ms 250"
        );
        let of_tree = RunSpec {
            test_progs: Some("out/test_progs".into()),
            ..spec(Arch::X86_64, None)
        };
        assert_eq!(
            script(&of_tree),
            "exec /bin/bpf-streams-guest --timeout-scale 3 --stress-ms 250 --test-progs /bin/test_progs"
        );
    }

    #[test]
    fn bpftool_can_be_the_reader() {
        let spec = RunSpec {
            reader: StreamReader::Bpftool,
            ..spec(Arch::X86_64, None)
        };
        assert_eq!(
            script(&spec),
            "exec /bin/bpf-streams-guest --timeout-scale 3 --stress-ms 250 --bpftool"
        );
    }

    #[test]
    fn an_arm64_guest_has_its_own_processor_init_and_nmis() {
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
    fn the_machine_of_a_configuration_comes_after_that_of_the_architecture() {
        let mut spec = spec(Arch::Arm64, None);
        spec.machine.qemu = ["-machine", "mte=on"].map(str::to_owned).into();
        spec.machine.parameters = vec!["kasan=on".to_owned()];
        let scratch = Scratch::new().unwrap();
        let words = arguments(&spec, &scratch, Accel::Tcg);
        let at = |word: &str| words.iter().position(|known| known == word).unwrap();
        assert_eq!(words[at("kasan=on") - 1], "--kopt");
        assert!(at("kasan=on") < at("--qemu-opts"));
        assert!(at("gic-version=3") < at("mte=on"));
    }

    #[test]
    fn icount_sets_the_option_of_qemu() {
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
    fn a_comma_in_a_path_is_quoted() {
        assert_eq!(quote_option(Path::new("/tmp/a,b")), "/tmp/a,,b");
    }

    #[test]
    fn only_emulation_disables_kvm() {
        let tools = tools();
        let has = |accel| {
            common(Path::new("image"), &tools, 2, accel).contains(&OsString::from("--disable-kvm"))
        };
        assert!(has(Accel::Tcg));
        assert!(!has(Accel::Kvm));
    }
}
