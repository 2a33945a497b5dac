// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! The command line of virtme-ng.

use std::ffi::OsString;
use std::path::Path;

use super::accel::Accel;
use super::root;
use super::scratch::Scratch;
use super::{RunSpec, Tools};

/// Enough for the longest streams, several at once.
const MEMORY: &str = "1G";

/// Parameters of the kernel beside virtme-ng's own.
const PARAMETERS: &[&str] = &[
    // everything but debugging: a splat is only one when the console shows it
    "loglevel=7",
];

/// The arguments of virtme-run that boot the agent.
pub fn arguments(spec: &RunSpec, scratch: &Scratch, accel: Accel) -> Vec<OsString> {
    let mut args = common(&spec.image, &spec.tools, spec.cpus, accel);
    let script = script(spec.filter.as_deref());
    add(&mut args, &["--arch", spec.arch.names().machine]);
    args.push("--root".into());
    args.push(scratch.root().into());
    // the console goes to standard error, and a panic ends the guest
    add(&mut args, &["--show-boot-console", "--script-sh", &script]);
    for parameter in PARAMETERS {
        add(&mut args, &["--kopt", parameter]);
    }
    // takes all that follows
    args.push("--qemu-opts".into());
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
fn script(filter: Option<&str>) -> String {
    match filter {
        Some(filter) => format!("exec {} --filter {}", root::AGENT, quote_shell(filter)),
        None => format!("exec {}", root::AGENT),
    }
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
    use super::*;

    #[test]
    fn a_filter_reaches_the_agent_as_one_word() {
        assert_eq!(
            script(Some("^a' b|$(c)")),
            r"exec /bin/bpf-streams-guest --filter '^a'\'' b|$(c)'"
        );
        assert_eq!(script(None), "exec /bin/bpf-streams-guest");
    }

    #[test]
    fn a_comma_in_a_path_does_not_end_the_option() {
        assert_eq!(quote_option(Path::new("/tmp/a,b")), "/tmp/a,,b");
    }

    #[test]
    fn only_emulation_switches_kvm_off() {
        let tools = Tools {
            virtme_run: "virtme-run".into(),
            qemu: "qemu".into(),
        };
        let has = |accel| {
            common(Path::new("image"), &tools, 2, accel).contains(&OsString::from("--disable-kvm"))
        };
        assert!(has(Accel::Tcg));
        assert!(!has(Accel::Kvm));
    }
}
