// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Whether the guest can run on the processor itself.
//!
//! `/dev/kvm` can be there, and open, and still every guest hangs, as on many nested hosts. So a
//! guest must say a word first; what came of it is remembered for the machine as it is now.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::group::Group;
use super::scratch::Scratch;
use crate::env::cache_key::Digest;
use crate::env::context::{AccelChoice, Arch, Context};

/// How a guest's instructions are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// By the processor.
    Kvm,
    /// By QEMU, in software.
    Tcg,
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Accel::Kvm => "KVM",
            Accel::Tcg => "software emulation",
        })
    }
}

/// A guest that runs says something long before this.
const PATIENCE: Duration = Duration::from_secs(4);

const DEVICE: &str = "/dev/kvm";

/// Decides how guests of `ctx` run; `image` is what the probe boots.
pub fn choose(ctx: &Context, qemu: &Path, image: &Path) -> Result<Accel> {
    if ctx.accel == AccelChoice::Tcg {
        return Ok(Accel::Tcg);
    }
    let usable = usable(ctx, qemu, image)?;
    if let (Err(reason), AccelChoice::Auto, Device::Unusable(_)) = (&usable, ctx.accel, device()) {
        ctx.progress
            .note(format!("{reason}; guests run in software emulation"));
    }
    match (usable, ctx.accel) {
        (Ok(()), _) => Ok(Accel::Kvm),
        (Err(reason), AccelChoice::Kvm) => {
            bail!("ACCEL=kvm was asked for, but {reason}; ACCEL=tcg runs the guest in software")
        }
        (Err(_), _) => Ok(Accel::Tcg),
    }
}

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// The guest said a word.
    Runs,
    /// It said nothing for as long as [`PATIENCE`].
    Silent,
    /// QEMU ended at once, with this for its last words.
    Ends(String),
}

impl Answer {
    /// Why KVM cannot be used, if it cannot.
    fn result(&self) -> Result<(), String> {
        match self {
            Answer::Runs => Ok(()),
            Answer::Silent => Err(format!(
                "a guest under KVM said nothing within {} s here",
                PATIENCE.as_secs()
            )),
            Answer::Ends(words) => Err(format!("QEMU ends at once under KVM here ({words})")),
        }
    }
}

/// Whether KVM can be used here, or why not.
fn usable(ctx: &Context, qemu: &Path, image: &Path) -> Result<Result<(), String>> {
    if Arch::of_this_machine().ok() != Some(ctx.arch) {
        return Ok(Err(format!("this machine's processor is no {}", ctx.arch)));
    }
    match device() {
        Device::Usable => (),
        other => return Ok(Err(other.to_string())),
    }
    let memory = ctx.cache_dir("kvm")?.join(machine_key(qemu)?);
    let answer = remembered(&memory, || {
        let stage = ctx
            .progress
            .stage("kvm", "does a guest run under KVM here?");
        let answer = probe(qemu, image, ctx.arch, PATIENCE)?;
        match answer.result() {
            Ok(()) => stage.done("guests run under KVM here"),
            Err(reason) => {
                drop(stage);
                ctx.progress
                    .note(format!("{reason}; guests run in software emulation"));
            }
        }
        Ok(answer)
    })?;
    Ok(answer.result())
}

/// What there is of KVM's device.
#[derive(Debug)]
pub enum Device {
    /// It can be opened; whether guests run is another question.
    Usable,
    /// The machine has none.
    Missing,
    /// It is there and cannot be opened.
    Unusable(io::Error),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Usable => write!(f, "{DEVICE} can be opened"),
            Device::Missing => write!(f, "there is no {DEVICE}"),
            Device::Unusable(error) => {
                write!(f, "{DEVICE} is there and cannot be opened ({error})")?;
                if error.kind() == io::ErrorKind::PermissionDenied {
                    f.write_str(
                        "; a user of its group, mostly kvm, can: `sudo usermod -aG kvm $USER`, then \
                         log in again",
                    )?;
                }
                Ok(())
            }
        }
    }
}

/// The state of this machine's device.
pub fn device() -> Device {
    device_at(Path::new(DEVICE))
}

fn device_at(path: &Path) -> Device {
    match File::options().read(true).write(true).open(path) {
        Ok(_) => Device::Usable,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Device::Missing,
        Err(error) => Device::Unusable(error),
    }
}

/// What is remembered in this file, or what `find_out` says, which is remembered.
fn remembered(file: &Path, find_out: impl FnOnce() -> Result<Answer>) -> Result<Answer> {
    if let Some(answer) = fs::read(file)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
    {
        return Ok(answer);
    }
    let answer = find_out()?;
    // written aside, so that nobody reads half of it
    let what = || format!("cannot write {}", file.display());
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut aside = tempfile::NamedTempFile::new_in(folder).with_context(what)?;
    serde_json::to_writer(&mut aside, &answer).with_context(what)?;
    aside.persist(file).with_context(what)?;
    Ok(answer)
}

/// What tells this machine, as it runs now, from any other: after a reboot it may be another host's
/// guest.
fn machine_key(qemu: &Path) -> Result<String> {
    let mut digest = Digest::default();
    for file in ["/proc/sys/kernel/random/boot_id", "/proc/version"] {
        let text = fs::read(file).with_context(|| format!("cannot read {file}"))?;
        digest.add(file, text);
    }
    let cpus = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let model = cpus.lines().find(|line| line.starts_with("model name"));
    digest.add("cpu", model.unwrap_or_default());
    digest.add("qemu", qemu.as_os_str().as_encoded_bytes());
    Ok(digest.key())
}

/// Boots the image under KVM, without anything around it, and waits for the kernel's first word.
fn probe(qemu: &Path, image: &Path, arch: Arch, patience: Duration) -> Result<Answer> {
    let scratch = Scratch::new()?;
    let group = Group::new(scratch.path())?;
    let mut child = group
        .spawn(
            Command::new(qemu)
                .args(probe_arguments(arch))
                .arg("-kernel")
                .arg(image)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        )
        .with_context(|| format!("cannot start {}", qemu.display()))?;
    let (word, heard) = mpsc::channel();
    if let Some(mut console) = child.stdout.take() {
        thread::spawn(move || {
            let mut byte = [0];
            // the other end is gone when it waited long enough
            let _ = word.send(console.read_exact(&mut byte).is_ok());
        });
    }
    let word = heard.recv_timeout(patience);
    group.kill();
    let said = child.wait_with_output().context("cannot wait for QEMU")?;
    Ok(match word {
        Ok(true) => Answer::Runs,
        Ok(false) => Answer::Ends(last_line(&said.stderr)),
        Err(_) => Answer::Silent,
    })
}

fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.trim_end()
        .lines()
        .last()
        .unwrap_or("without a word")
        .to_owned()
}

fn probe_arguments(arch: Arch) -> Vec<&'static str> {
    let (machine, append) = match arch {
        Arch::X86_64 => ("q35,accel=kvm", "console=ttyS0 earlyprintk=serial panic=-1"),
        Arch::Arm64 => (
            "virt,gic-version=host,accel=kvm",
            "console=ttyAMA0 earlycon=pl011,0x9000000 panic=-1",
        ),
    };
    let mut args = vec!["-machine", machine, "-cpu", "host", "-m", "256M"];
    args.extend(["-nodefaults", "-display", "none", "-no-reboot"]);
    args.extend(["-serial", "stdio", "-append", append]);
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe_with(script: &str, patience: Duration) -> Answer {
        let qemu = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/machine/qemu.sh");
        let image = tempfile::NamedTempFile::new().unwrap();
        fs::write(&image, script).unwrap();
        probe(Path::new(qemu), image.path(), Arch::X86_64, patience).unwrap()
    }

    #[test]
    fn a_guest_that_says_a_word_runs_under_kvm() {
        let endless = "echo word; exec sleep 1000";
        assert_eq!(probe_with(endless, Duration::from_secs(60)), Answer::Runs);
    }

    #[test]
    fn a_guest_that_hangs_or_ends_does_not() {
        let silent = probe_with("exec sleep 1000", Duration::from_millis(100));
        assert_eq!(silent, Answer::Silent);
        let ends = probe_with("echo first >&2; echo why >&2", Duration::from_secs(60));
        assert_eq!(ends, Answer::Ends("why".into()));
    }

    #[test]
    fn a_device_that_cannot_be_opened_is_told_from_one_that_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kvm");
        assert!(matches!(device_at(&file), Device::Missing));
        fs::write(&file, "").unwrap();
        assert!(matches!(device_at(&file), Device::Usable));
        // root opens every file; it does not open a folder for writing
        assert!(matches!(device_at(dir.path()), Device::Unusable(_)));
    }

    #[test]
    fn a_user_without_the_right_is_told_how_to_get_it() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let text = Device::Unusable(denied).to_string();
        for part in [
            "/dev/kvm is there and cannot be opened",
            "denied",
            "usermod -aG kvm",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let busy = Device::Unusable(io::Error::from(io::ErrorKind::ResourceBusy)).to_string();
        assert!(!busy.contains("usermod"), "{busy}");
    }

    #[test]
    fn an_answer_is_remembered_and_half_of_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("answer");
        let never = || -> Result<Answer> { panic!("it was to be remembered") };
        let first = |answer| remembered(&file, || Ok(answer)).unwrap();
        assert_eq!(first(Answer::Silent), Answer::Silent);
        assert_eq!(remembered(&file, never).unwrap(), Answer::Silent);
        fs::write(&file, "\"run").unwrap();
        assert_eq!(first(Answer::Runs), Answer::Runs);
        assert_eq!(remembered(&file, never).unwrap(), Answer::Runs);
    }
}
