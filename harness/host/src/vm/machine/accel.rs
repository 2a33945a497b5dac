// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Whether guests run under KVM.
//!
//! On many nested hosts `/dev/kvm` can be opened, but every guest hangs. So a probe boots a guest and waits
//! for its first output. The result is cached for this boot of the machine.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::process_group::ProcessGroup;
use super::scratch::Scratch;
use crate::env::atomic;
use crate::env::cache_key::Digest;
use crate::env::context::{AccelChoice, Arch, Context};
use crate::env::guest_machine::GuestMachine;

/// How a guest executes instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// On the processor.
    Kvm,
    /// In software, by QEMU.
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

/// Time limit for the first output of the probe; a working guest needs far less.
const PROBE_TIMEOUT: Duration = Duration::from_secs(4);

const DEVICE: &str = "/dev/kvm";

/// Decides how guests of `ctx` run; the probe boots `image`.
pub fn choose(ctx: &Context, qemu: &Path, image: &Path) -> Result<Accel> {
    if ctx.accel == AccelChoice::Tcg {
        return Ok(Accel::Tcg);
    }
    if GuestMachine::of(ctx)?.emulated {
        ensure!(
            ctx.accel == AccelChoice::Auto,
            "ACCEL=kvm was requested, but the machine of CONFIG={} exists in software emulation only \
             (kernel-config/{0}.machine); use ACCEL=tcg",
            ctx.config
        );
        return Ok(Accel::Tcg);
    }
    let usable = usable(ctx, qemu, image)?;
    if let (Err(reason), AccelChoice::Auto, KvmDevice::Unusable(_)) = (&usable, ctx.accel, device())
    {
        ctx.progress
            .note(format!("{reason}; guests run in software emulation"));
    }
    match (usable, ctx.accel) {
        (Ok(()), _) => Ok(Accel::Kvm),
        (Err(reason), AccelChoice::Kvm) => {
            bail!("ACCEL=kvm was requested, but {reason}; use ACCEL=tcg for software emulation")
        }
        (Err(_), _) => Ok(Accel::Tcg),
    }
}

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ProbeResult {
    /// The guest printed something.
    Runs,
    /// The guest printed nothing within [`PROBE_TIMEOUT`].
    Silent,
    /// QEMU exited, with this last line of its standard error.
    Ends(String),
}

impl ProbeResult {
    /// The reason why KVM cannot be used, if it cannot.
    fn result(&self) -> Result<(), String> {
        match self {
            ProbeResult::Runs => Ok(()),
            ProbeResult::Silent => Err(format!(
                "a guest under KVM printed nothing within {} s",
                PROBE_TIMEOUT.as_secs()
            )),
            ProbeResult::Ends(line) => Err(format!("QEMU exits at once under KVM ({line})")),
        }
    }
}

/// Whether KVM can be used, or the reason why not.
fn usable(ctx: &Context, qemu: &Path, image: &Path) -> Result<Result<(), String>> {
    if Arch::of_this_machine().ok() != Some(ctx.arch) {
        return Ok(Err(format!(
            "the processor of this machine is not {}",
            ctx.arch
        )));
    }
    match device() {
        KvmDevice::Usable => (),
        other => return Ok(Err(other.to_string())),
    }
    let file = ctx.cache_dir("kvm")?.join(machine_key(qemu)?);
    let answer = cached(&file, || {
        let stage = ctx
            .progress
            .stage("kvm", "probing whether guests run under KVM");
        let answer = probe(qemu, image, ctx.arch, PROBE_TIMEOUT)?;
        match answer.result() {
            Ok(()) => stage.done("guests run under KVM"),
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

/// The state of `/dev/kvm`.
#[derive(Debug)]
pub enum KvmDevice {
    /// It can be opened; a guest may still hang.
    Usable,
    /// It does not exist.
    Missing,
    /// It cannot be opened.
    Unusable(io::Error),
}

impl fmt::Display for KvmDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KvmDevice::Usable => write!(f, "{DEVICE} can be opened"),
            KvmDevice::Missing => write!(f, "{DEVICE} does not exist"),
            KvmDevice::Unusable(error) => {
                write!(f, "{DEVICE} cannot be opened ({error})")?;
                if error.kind() == io::ErrorKind::PermissionDenied {
                    f.write_str(
                        "; add yourself to its group, usually kvm: `sudo usermod -aG kvm $USER`, then \
                         log in again",
                    )?;
                }
                Ok(())
            }
        }
    }
}

/// The state of this machine's `/dev/kvm`.
pub fn device() -> KvmDevice {
    device_at(Path::new(DEVICE))
}

fn device_at(path: &Path) -> KvmDevice {
    match File::options().read(true).write(true).open(path) {
        Ok(_) => KvmDevice::Usable,
        Err(error) if error.kind() == io::ErrorKind::NotFound => KvmDevice::Missing,
        Err(error) => KvmDevice::Unusable(error),
    }
}

/// The result in `file`, or else the result of `probe`, which is stored in `file`.
fn cached(file: &Path, probe: impl FnOnce() -> Result<ProbeResult>) -> Result<ProbeResult> {
    if let Some(answer) = fs::read(file)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
    {
        return Ok(answer);
    }
    let answer = probe()?;
    atomic::write(file, serde_json::to_vec(&answer)?)?;
    Ok(answer)
}

/// The key of this boot of this machine: after a reboot a virtual machine may be on another host.
fn machine_key(qemu: &Path) -> Result<String> {
    let mut digest = Digest::default();
    for file in ["/proc/sys/kernel/random/boot_id", "/proc/version"] {
        digest.add(file, fs::read(file)?);
    }
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find(|line| line.starts_with("model name"));
    digest.add("cpu", model.unwrap_or_default());
    digest.add("qemu", qemu.as_os_str().as_encoded_bytes());
    Ok(digest.key())
}

/// Boots the image under KVM, without a root, and waits for the first output of the kernel.
fn probe(qemu: &Path, image: &Path, arch: Arch, timeout: Duration) -> Result<ProbeResult> {
    let scratch = Scratch::new()?;
    let group = ProcessGroup::new(scratch.path())?;
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
    let (sender, receiver) = mpsc::channel();
    if let Some(mut console) = child.stdout.take() {
        thread::spawn(move || {
            let mut byte = [0];
            // fails if the receiver has timed out
            let _ = sender.send(console.read_exact(&mut byte).is_ok());
        });
    }
    let printed = receiver.recv_timeout(timeout);
    group.kill();
    let out = child.wait_with_output().context("cannot wait for QEMU")?;
    Ok(match printed {
        Ok(true) => ProbeResult::Runs,
        Ok(false) => ProbeResult::Ends(last_line(&out.stderr)),
        Err(_) => ProbeResult::Silent,
    })
}

fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.trim_end()
        .lines()
        .last()
        .unwrap_or("no error message")
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

    fn probe_with(script: &str, timeout: Duration) -> ProbeResult {
        let qemu = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/machine/qemu.sh");
        let image = tempfile::NamedTempFile::new().unwrap();
        fs::write(&image, script).unwrap();
        probe(Path::new(qemu), image.path(), Arch::X86_64, timeout).unwrap()
    }

    #[test]
    fn a_machine_that_exists_in_emulation_only_is_emulated() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("repo/kernel-config");
        fs::create_dir_all(&folder).unwrap();
        let machine = "only = ['arm64']\nreason = 'why'\nemulated = true\n";
        fs::write(folder.join("tags.machine"), machine).unwrap();
        let choose = |accel| {
            let ctx = Context {
                arch: Arch::Arm64,
                config: "tags".to_owned(),
                accel,
                ..Context::of_test(dir.path())
            };
            choose(&ctx, Path::new("qemu"), Path::new("image"))
        };
        assert_eq!(choose(AccelChoice::Auto).unwrap(), Accel::Tcg);
        let error = choose(AccelChoice::Kvm).unwrap_err().to_string();
        assert!(error.contains("kernel-config/tags.machine"), "{error}");
    }

    #[test]
    fn a_guest_that_prints_something_runs_under_kvm() {
        let endless = "echo word; exec sleep 1000";
        assert_eq!(
            probe_with(endless, Duration::from_secs(60)),
            ProbeResult::Runs
        );
    }

    #[test]
    fn a_guest_that_hangs_or_exits_does_not() {
        let silent = probe_with("exec sleep 1000", Duration::from_millis(100));
        assert_eq!(silent, ProbeResult::Silent);
        let ends = probe_with("echo first >&2; echo why >&2", Duration::from_secs(60));
        assert_eq!(ends, ProbeResult::Ends("why".into()));
    }

    #[test]
    fn a_device_is_missing_or_unusable() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kvm");
        assert!(matches!(device_at(&file), KvmDevice::Missing));
        fs::write(&file, "").unwrap();
        assert!(matches!(device_at(&file), KvmDevice::Usable));
        // even root cannot open a folder for writing
        assert!(matches!(device_at(dir.path()), KvmDevice::Unusable(_)));
    }

    #[test]
    fn the_error_for_a_missing_permission_has_the_remedy() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let text = KvmDevice::Unusable(denied).to_string();
        for part in ["/dev/kvm cannot be opened", "denied", "usermod -aG kvm"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let busy = KvmDevice::Unusable(io::Error::from(io::ErrorKind::ResourceBusy)).to_string();
        assert!(!busy.contains("usermod"), "{busy}");
    }

    #[test]
    fn a_result_is_cached_unless_it_is_truncated() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("answer");
        let never = || -> Result<ProbeResult> { panic!("the result is not cached") };
        let first = |answer| cached(&file, || Ok(answer)).unwrap();
        assert_eq!(first(ProbeResult::Silent), ProbeResult::Silent);
        assert_eq!(cached(&file, never).unwrap(), ProbeResult::Silent);
        fs::write(&file, "\"run").unwrap();
        assert_eq!(first(ProbeResult::Runs), ProbeResult::Runs);
        assert_eq!(cached(&file, never).unwrap(), ProbeResult::Runs);
    }
}
