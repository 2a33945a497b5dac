// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Runs the whole set-up in new minimal roots of Debian, and then each installed tool.
//!
//! This module creates the roots with packages from the mirrors of this machine;
//! `harness/setup-test/inside.sh` runs in each root.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;

use crate::build::kernel;
use crate::env::command::{cmd, output, shell_in};
use crate::env::context::{Arch, Context};
use crate::env::disk;
use crate::report::setup_record::SetupRecord;

/// The state of a root before the set-up.
#[derive(Debug)]
pub struct Root {
    /// Its name.
    pub name: &'static str,
    /// Debian's release.
    codename: &'static str,
    /// Packages that the user installed earlier, each with its suite.
    installed: &'static [(&'static str, &'static str)],
    /// Programs that set-up must unpack into the cache because of them.
    unpacked: &'static [&'static str],
}

/// Debian 12 and 13 with no further package; and Debian 12 with packages that conflict with those of
/// set-up: QEMU's tools of backports with QEMU of Debian 12, busybox with busybox-static.
pub const ROOTS: &[Root] = &[
    Root {
        name: "debian-12",
        codename: "bookworm",
        installed: &[],
        unpacked: &[],
    },
    Root {
        name: "debian-12-backports",
        codename: "bookworm",
        installed: &[
            ("qemu-utils", "bookworm-backports"),
            ("busybox", "bookworm"),
        ],
        unpacked: &["qemu-system-x86_64", "qemu-system-aarch64", "busybox"],
    },
    Root {
        name: "debian-13",
        codename: "trixie",
        installed: &[],
        unpacked: &[],
    },
];

/// Disk space of a root with the packages, the source of a kernel and the harness.
const NEEDS: u64 = 12 << 30;

/// Lines of the log in an error.
const SHOWN: usize = 40;

/// Scripts, relative to the clone.
const ENTER: &str = "harness/setup-test/enter.sh";
const INSIDE: &str = "harness/setup-test/inside.sh";

/// Runs the set-up in one root; the log goes to `folder`.
#[must_use]
pub fn run(ctx: &Context, root: &Root, folder: &Path) -> SetupRecord {
    let log = folder.join(format!("{}.log", root.name));
    let begun = Instant::now();
    let stage = ctx
        .progress
        .stage("root", format!("{}, log in {}", root.name, log.display()));
    let outcome = carry_out(ctx, root, &log, |step| stage.update(step));
    drop(stage);
    SetupRecord {
        name: root.name.to_owned(),
        passed: outcome.is_ok(),
        seconds: begun.elapsed().as_secs_f64(),
        output: outcome.err().map_or_else(Vec::new, |error| {
            let text = format!("{error:#}");
            text.lines().map(str::to_owned).collect()
        }),
    }
}

fn carry_out(ctx: &Context, root: &Root, log: &Path, step: impl Fn(&str)) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "creating and mounting roots needs root; run `make setup-test` as root"
    );
    let folder = log.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let cache = ctx.cache_dir("setup-test")?;
    disk::ensure_free(&cache, NEEDS, "a root of Debian")?;
    let scratch = tempfile::Builder::new()
        .prefix(&format!("{}-", root.name))
        .tempdir_in(&cache)
        .with_context(|| format!("cannot create a folder in {}", cache.display()))?;
    let mut file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let kernels = kernels(ctx, scratch.path())?;
    let rust = Rust::of_this_machine()?;
    let sources = sources(&places()?, &own_codename()?, root.codename)?;
    step("creating the root");
    let dir = scratch.path().join("root");
    create(&dir, root.codename, &sources)?;
    let clone = scratch.path().join("clone");
    copy_clone(&ctx.repo, &clone)?;
    let enter = |command: &[&str]| {
        let mut enter = Command::new("unshare");
        enter
            .args(["--mount", "--pid", "--fork", "--kill-child"])
            .args(["--propagation", "private"])
            .arg(ctx.repo.join(ENTER))
            .args([&dir, scratch.path()])
            .args(command)
            .env("CLONE", &clone)
            .env("KERNELS", &kernels)
            .env("CARGO_HOME", &rust.cargo)
            .env("RUSTUP_HOME", &rust.rustup);
        enter
    };
    for (package, suite) in root.installed {
        step(&format!("installing {package} of {suite}"));
        let install = install_before(&sources, root.codename, package, suite);
        run_logged(enter(&["sh", "-euc", &install]), &mut file, log, &step)?;
    }
    let inside: Vec<&str> = [INSIDE].iter().chain(root.unpacked).copied().collect();
    run_logged(enter(&inside), &mut file, log, &step)
}

/// Builds the kernels that the roots boot, one per architecture, and copies them to a folder.
fn kernels(ctx: &Context, scratch: &Path) -> Result<PathBuf> {
    let folder = scratch.join("kernels");
    for arch in Arch::buildable_here() {
        let built = kernel::build(&Context {
            arch,
            kernel: None,
            ..ctx.clone()
        })?;
        let dir = folder.join(arch.to_string());
        fs::create_dir_all(&dir)?;
        for (name, file) in [
            ("image", &built.image),
            ("vmlinux", &built.vmlinux),
            ("config", &built.config),
        ] {
            fs::copy(file, dir.join(name))
                .with_context(|| format!("cannot copy {} to {}", file.display(), dir.display()))?;
        }
    }
    Ok(folder)
}

/// Runs a command whose output goes to the log, and calls `step` for lines that begin with `==`.
fn run_logged(
    mut command: Command,
    file: &mut File,
    log: &Path,
    step: impl Fn(&str),
) -> Result<()> {
    let what = || format!("cannot write {}", log.display());
    let errors = file.try_clone().with_context(what)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .context("cannot run unshare (util-linux)")?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("cannot read the output of a command in the root")?;
            std::io::Write::write_all(file, &[&line[..], b"\n"].concat()).with_context(what)?;
            let line = String::from_utf8_lossy(&line);
            if let Some(text) = line.strip_prefix("== ") {
                step(text);
            }
        }
    }
    let status = child.wait().context("cannot wait for unshare")?;
    if status.success() {
        return Ok(());
    }
    let text = fs::read(log)?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let end = lines[lines.len().saturating_sub(SHOWN)..].join("\n  | ");
    bail!(
        "the command in the root ended with {status}; the end of {}:\n  | {end}",
        log.display()
    )
}

/// A script that installs a package of a suite and restores apt's sources afterwards: a user's machine
/// may have packages that its sources no longer list.
fn install_before(sources: &[String], codename: &str, package: &str, suite: &str) -> String {
    let own = format!(" {codename} ");
    let line = sources
        .iter()
        .find(|line| line.contains(&own))
        .map_or_else(String::new, |line| {
            line.replace(&own, &format!(" {suite} "))
        });
    format!(
        "echo '{line}' >/etc/apt/sources.list.d/before.list\n\
         apt-get --quiet update\n\
         DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes --no-install-recommends \
         --target-release '{suite}' install '{package}'\n\
         rm /etc/apt/sources.list.d/before.list\n\
         apt-get --quiet update\n"
    )
}

/// The Rust installation of this machine, which the README requires.
struct Rust {
    cargo: PathBuf,
    rustup: PathBuf,
}

impl Rust {
    fn of_this_machine() -> Result<Rust> {
        let home = std::env::home_dir().unwrap_or_default();
        let folder = |variable, name: &str| {
            std::env::var_os(variable).map_or_else(|| home.join(name), PathBuf::from)
        };
        let rust = Rust {
            cargo: folder("CARGO_HOME", ".cargo"),
            rustup: folder("RUSTUP_HOME", ".rustup"),
        };
        ensure!(
            rust.cargo.join("bin/cargo").exists() && rust.rustup.join("toolchains").is_dir(),
            "the roots use the Rust installation of this machine, which must come from rustup: expected {} \
             and toolchains in {}",
            rust.cargo.join("bin/cargo").display(),
            rust.rustup.display()
        );
        Ok(rust)
    }
}

/// The mirrors of Debian that this machine uses, one per line: address and suite.
fn places() -> Result<String> {
    let sh = shell_in("/")?;
    let said = output(cmd!(
        sh,
        "apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages'
            'Origin: Debian'"
    ))?;
    ensure!(
        !said.is_empty(),
        "apt has no index of Debian's packages; run `apt-get update` or check /etc/apt"
    );
    Ok(said)
}

fn own_codename() -> Result<String> {
    let file = "/etc/os-release";
    let text = fs::read_to_string(file)?;
    text.lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .with_context(|| {
            format!("{file} has no VERSION_CODENAME, which selects the mirrors of the roots")
        })
}

/// Lines of apt's sources for the release `codename`, from the mirrors of a machine of the release `own`:
/// the release, its updates and its security updates.
fn sources(places: &str, own: &str, codename: &str) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for place in places.lines() {
        let Some((uri, suite)) = place.split_once(' ') else {
            continue;
        };
        let Some(kind @ ("" | "-updates" | "-security")) = suite.strip_prefix(own) else {
            continue;
        };
        let line = format!("deb {uri} {codename}{kind} main");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    ensure!(
        lines
            .iter()
            .any(|line| line.contains(&format!(" {codename} "))),
        "apt of this machine has no mirror of {own}, which would serve {codename}, too"
    );
    Ok(lines)
}

/// Creates a root with apt, make and certificates, which a user with Rust has.
fn create(root: &Path, codename: &str, sources: &[String]) -> Result<()> {
    let sh = shell_in("/")?;
    output(cmd!(
        sh,
        "mmdebstrap --quiet --mode=root --variant=minbase --include=ca-certificates,make
                {codename} {root} {sources...}"
    ))
    .with_context(|| format!("cannot create a root of {codename}"))
    .map(drop)
}

/// Copies the files of the clone that git tracks or would track, without build results.
fn copy_clone(repo: &Path, to: &Path) -> Result<()> {
    let sh = shell_in(repo)?;
    let files = output(cmd!(
        sh,
        "git ls-files -z --cached --others --exclude-standard"
    ))?;
    for name in files.split_terminator('\0') {
        let (from, to) = (repo.join(name), to.join(name));
        // removed, and the removal is not committed
        let Ok(meta) = fs::symlink_metadata(&from) else {
            continue;
        };
        let copy = || -> std::io::Result<()> {
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            if meta.is_symlink() {
                symlink(fs::read_link(&from)?, &to)
            } else {
                fs::copy(&from, &to).map(drop)
            }
        };
        copy().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: &str = "http://m/debian/ bookworm\nhttp://m/debian/ bookworm-updates\n\
        http://m/debian/ bookworm-backports\nhttp://m/debian-security/ bookworm-security\n\
        http://m/debian/ bookworm\n";

    #[test]
    fn a_root_of_another_release_uses_the_mirrors_of_the_machine() {
        assert_eq!(
            sources(PLACES, "bookworm", "trixie").unwrap(),
            [
                "deb http://m/debian/ trixie main",
                "deb http://m/debian/ trixie-updates main",
                "deb http://m/debian-security/ trixie-security main",
            ]
        );
        let error = sources("http://m/x/ jammy\n", "bookworm", "trixie").unwrap_err();
        assert!(
            error.to_string().contains("no mirror of bookworm"),
            "{error}"
        );
    }

    #[test]
    fn installing_a_package_restores_the_sources_of_apt() {
        let sources = sources(PLACES, "bookworm", "bookworm").unwrap();
        let script = install_before(&sources, "bookworm", "qemu-utils", "bookworm-backports");
        assert!(script.starts_with("echo 'deb http://m/debian/ bookworm-backports main' >"));
        assert!(script.contains("rm /etc/apt/sources.list.d/before.list"));
    }

    #[test]
    fn a_failing_command_is_reported_with_the_end_of_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut file = File::create(&log).unwrap();
        let mut sh = Command::new("sh");
        sh.args(["-c", "echo '== first'; echo out; echo why >&2; exit 3"]);
        let steps = std::cell::RefCell::new(Vec::new());
        let step = |text: &str| steps.borrow_mut().push(text.to_owned());
        let error = run_logged(sh, &mut file, &log, step)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("why"),
            "{error}"
        );
        assert_eq!(*steps.borrow(), ["first"]);
    }

    #[test]
    fn the_roots_include_debian_13_and_one_with_conflicting_packages() {
        assert!(ROOTS.iter().any(|root| root.codename == "trixie"));
        assert!(ROOTS.iter().any(|root| !root.unpacked.is_empty()));
        for script in [ENTER, INSIDE] {
            let repo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            assert!(repo.join(script).is_file(), "{script}");
        }
    }
}
