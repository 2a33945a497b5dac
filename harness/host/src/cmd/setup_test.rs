// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Carries the whole set-up out in new minimal roots of Debian, and then uses what it got.
//!
//! What happens in a root is in `harness/setup-test/inside.sh`; this creates the roots, with packages
//! from the mirrors of this machine.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::build::kernel;
use crate::env::command::{command, output, shell_in};
use crate::env::context::{Arch, Context};
use crate::env::disk;

/// A root to begin with.
#[derive(Debug)]
pub struct Test {
    /// Its name.
    pub name: &'static str,
    /// Debian's release.
    codename: &'static str,
    /// Packages that a user has installed before, and the suite that they come from.
    installed: &'static [(&'static str, &'static str)],
    /// Programs that have to come out of the cache then.
    unpacked: &'static [&'static str],
}

/// Debian 12 and 13 with nothing; and Debian 12 with packages that exclude those of set-up: QEMU's
/// tools of backports do not go with QEMU of Debian 12, nor busybox with busybox-static.
pub const TESTS: &[Test] = &[
    Test {
        name: "debian-12",
        codename: "bookworm",
        installed: &[],
        unpacked: &[],
    },
    Test {
        name: "debian-12-backports",
        codename: "bookworm",
        installed: &[
            ("qemu-utils", "bookworm-backports"),
            ("busybox", "bookworm"),
        ],
        unpacked: &["qemu-system-x86_64", "qemu-system-aarch64", "busybox"],
    },
    Test {
        name: "debian-13",
        codename: "trixie",
        installed: &[],
        unpacked: &[],
    },
];

/// What came of a root.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupRecord {
    /// Name of the test.
    pub name: String,
    /// Whether the set-up and everything after it went well.
    pub passed: bool,
    /// How long it took.
    pub seconds: f64,
    /// What was wrong, and the end of what was said; empty where it passed.
    pub output: Vec<String>,
}

/// What a root takes, with the packages, a kernel's source and the harness.
const NEEDS: u64 = 12 << 30;

/// How many lines of the log are shown where something failed.
const SHOWN: usize = 40;

/// Scripts of the clone, from its top.
const ENTER: &str = "harness/setup-test/enter.sh";
const INSIDE: &str = "harness/setup-test/inside.sh";

/// Carries one test out; its log goes to `folder`.
#[must_use]
pub fn run(ctx: &Context, test: &Test, folder: &Path) -> SetupRecord {
    let log = folder.join(format!("{}.log", test.name));
    let begun = Instant::now();
    let stage = ctx
        .progress
        .stage("root", format!("{}, log in {}", test.name, log.display()));
    let outcome = carry_out(ctx, test, &log, |step| stage.update(step));
    drop(stage);
    SetupRecord {
        name: test.name.to_owned(),
        passed: outcome.is_ok(),
        seconds: begun.elapsed().as_secs_f64(),
        output: outcome.err().map_or_else(Vec::new, |error| {
            let text = format!("{error:#}");
            text.lines().map(str::to_owned).collect()
        }),
    }
}

fn carry_out(ctx: &Context, test: &Test, log: &Path, step: impl Fn(&str)) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "creating roots and mounting into them takes root; run `make setup-test` as root"
    );
    let folder = log.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let cache = ctx.cache_dir("setup-test")?;
    disk::ensure_free(&cache, NEEDS, "a root of Debian")?;
    let scratch = tempfile::Builder::new()
        .prefix(&format!("{}-", test.name))
        .tempdir_in(&cache)
        .with_context(|| format!("cannot create a folder in {}", cache.display()))?;
    let mut file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let kernels = kernels(ctx, scratch.path())?;
    let rust = Rust::of_this_machine()?;
    let sources = sources(&places()?, &own_codename()?, test.codename)?;
    step("creating the root");
    let root = scratch.path().join("root");
    create(&root, test.codename, &sources)?;
    let clone = scratch.path().join("clone");
    copy_clone(&ctx.repo, &clone)?;
    let enter = |command: &[&str]| {
        let mut enter = Command::new("unshare");
        enter
            .args(["--mount", "--pid", "--fork", "--kill-child"])
            .args(["--propagation", "private"])
            .arg(ctx.repo.join(ENTER))
            .args([&root, scratch.path()])
            .args(command)
            .env("CLONE", &clone)
            .env("KERNELS", &kernels)
            .env("CARGO_HOME", &rust.cargo)
            .env("RUSTUP_HOME", &rust.rustup);
        enter
    };
    for (package, suite) in test.installed {
        step(&format!("installing {package} of {suite}"));
        let install = install_before(&sources, test.codename, package, suite);
        told(enter(&["sh", "-euc", &install]), &mut file, log, &step)?;
    }
    let inside: Vec<&str> = [INSIDE].iter().chain(test.unpacked).copied().collect();
    told(enter(&inside), &mut file, log, &step)
}

/// A folder with the kernels of the series that roots boot, one for each architecture.
fn kernels(ctx: &Context, scratch: &Path) -> Result<PathBuf> {
    let folder = scratch.join("kernels");
    for arch in Arch::buildable_here() {
        let built = kernel::build(&Context {
            arch,
            kernel: None,
            ..ctx.clone()
        })?;
        let dir = folder.join(arch.to_string());
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
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

/// Runs a command whose output goes to the log, and tells of its steps, lines that begin with `==`.
fn told(mut command: Command, file: &mut File, log: &Path, step: impl Fn(&str)) -> Result<()> {
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
            let line = line.context("cannot read what a command in the root says")?;
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
    let text = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let end = lines[lines.len().saturating_sub(SHOWN)..].join("\n  | ");
    bail!(
        "it ended with {status}; the end of {}:\n  | {end}",
        log.display()
    )
}

/// Installs a package of a suite, and then leaves apt's sources as they were: a user's machine may have
/// packages that its sources no longer name.
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

/// What this machine has of Rust, which a user of the README has before.
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
            "the roots get Rust of this machine, and rustup did not install it: there is no {} with \
             toolchains in {}",
            rust.cargo.join("bin/cargo").display(),
            rust.rustup.display()
        );
        Ok(rust)
    }
}

/// The places that this machine takes Debian's packages from, a line each: address and suite.
fn places() -> Result<String> {
    let sh = shell_in("/")?;
    let said = output(command(&sh, "apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI) $(CODENAME)",
        "Created-By: Packages",
        "Origin: Debian",
    ]))?;
    ensure!(
        !said.is_empty(),
        "apt knows no source of Debian's packages; `apt-get update`, or look at /etc/apt"
    );
    Ok(said)
}

fn own_codename() -> Result<String> {
    let file = "/etc/os-release";
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .with_context(|| {
            format!("{file} has no VERSION_CODENAME; the roots take the machine's mirrors")
        })
}

/// Lines of apt's configuration for the release `codename`, from the places of a machine of the release
/// `own`: the release, its updates and its security updates.
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
        "this machine's apt has no source of {own} that packages of {codename} could come from"
    );
    Ok(lines)
}

/// A root with apt, make and certificates, which a user with Rust has.
fn create(root: &Path, codename: &str, sources: &[String]) -> Result<()> {
    let sh = shell_in("/")?;
    output(
        command(&sh, "mmdebstrap")
            .args(["--quiet", "--mode=root", "--variant=minbase"])
            .arg("--include=ca-certificates,make")
            .arg(codename)
            .arg(root)
            .args(sources),
    )
    .with_context(|| format!("cannot create a root of {codename}"))
    .map(drop)
}

/// Copies what git has of the clone, and what is new there, but not what was built.
fn copy_clone(repo: &Path, to: &Path) -> Result<()> {
    let sh = shell_in(repo)?;
    let files = output(command(&sh, "git").args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    for name in files.split_terminator('\0') {
        let (from, to) = (repo.join(name), to.join(name));
        // removed and not committed yet
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

impl SetupRecord {
    /// How long it took.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: &str = "http://m/debian/ bookworm\nhttp://m/debian/ bookworm-updates\n\
        http://m/debian/ bookworm-backports\nhttp://m/debian-security/ bookworm-security\n\
        http://m/debian/ bookworm\n";

    #[test]
    fn a_root_of_another_release_comes_from_the_machines_mirrors() {
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
            error.to_string().contains("no source of bookworm"),
            "{error}"
        );
    }

    #[test]
    fn a_package_that_is_installed_before_leaves_no_source() {
        let sources = sources(PLACES, "bookworm", "bookworm").unwrap();
        let script = install_before(&sources, "bookworm", "qemu-utils", "bookworm-backports");
        assert!(script.starts_with("echo 'deb http://m/debian/ bookworm-backports main' >"));
        assert!(script.contains("rm /etc/apt/sources.list.d/before.list"));
    }

    #[test]
    fn a_command_that_fails_in_a_root_is_told_with_the_end_of_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut file = File::create(&log).unwrap();
        let mut sh = Command::new("sh");
        sh.args(["-c", "echo '== first'; echo out; echo why >&2; exit 3"]);
        let steps = std::cell::RefCell::new(Vec::new());
        let step = |text: &str| steps.borrow_mut().push(text.to_owned());
        let error = told(sh, &mut file, &log, step).unwrap_err().to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("why"),
            "{error}"
        );
        assert_eq!(*steps.borrow(), ["first"]);
    }

    #[test]
    fn the_tests_have_debian_12_and_13_and_one_with_packages_that_exclude_ours() {
        assert!(TESTS.iter().any(|test| test.codename == "trixie"));
        assert!(TESTS.iter().any(|test| !test.unpacked.is_empty()));
        for script in [ENTER, INSIDE] {
            let repo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            assert!(repo.join(script).is_file(), "{script}");
        }
    }
}
