// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Builds the guest agent, a static program: the guest has no libraries.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;
use xshell::Shell;

use crate::build::libelf;
use crate::build::sysroot;
use crate::env::command::{self, cmd, output, shell_in};
use crate::env::context::{Arch, Context};
use crate::env::lock;
use store::AgentStore;

mod store;

/// Cargo package of the agent.
const NAME: &str = "bpf-streams-guest";

/// Prefix of the crates of the workspace.
const OWN_CRATES: &str = "bpf-streams-";

/// Builds the agent for the architecture of `ctx`, or finds it in the cache, built by any clone with the
/// same sources.
pub fn build(ctx: &Context) -> Result<PathBuf> {
    let store = AgentStore::new(ctx)?;
    if let Some(agent) = store.find() {
        return Ok(agent);
    }
    let folder = ctx.cache_dir("agent")?;
    let _lock = lock::take(&folder.join("build.lock"), ctx.progress)?;
    // another run may have built it during the wait
    if let Some(agent) = store.find() {
        return Ok(agent);
    }
    store.publish(&compile(ctx, &folder)?)
}

/// Compiles the agent in `folder` of the cache: libbpf is compiled once for all clones.
fn compile(ctx: &Context, folder: &Path) -> Result<PathBuf> {
    let stage = ctx.progress.stage("agent", "building the guest agent");
    let target = ctx.arch.names().rust;
    let sh = shell_in(&ctx.repo)?;
    let sysroot = sysroot::find(ctx)?;
    ensure_standard_library(ctx)?;
    let release = folder.join(target).join("release");
    forget_own_crates(&release)?;
    // build scripts are compiled for this machine, in another folder
    forget_own_crates(&folder.join("release"))?;
    let cargo = cmd!(
        sh,
        "cargo build --release --locked --package {NAME} --target {target}
            --manifest-path harness/Cargo.toml"
    )
    .env("CARGO_TARGET_DIR", folder)
    // flags of the build of this harness
    .env_remove("RUSTFLAGS")
    .env_remove("CARGO_ENCODED_RUSTFLAGS")
    // the guest reads the agent over 9p, which is slow
    .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    let libelf = libelf::folder(ctx, ctx.arch, sysroot.as_deref())?;
    let variables = match &sysroot {
        Some(sysroot) => foreign(ctx.arch, sysroot, libelf.as_deref()),
        None => own(ctx.arch, &sh, libelf.as_deref())?,
    };
    output(
        variables
            .into_iter()
            .fold(cargo, |cargo, (name, value)| cargo.env(name, value)),
    )
    .context(
        "cannot build the guest agent (it needs gcc, make, pkg-config, libelf-dev, zlib1g-dev; \
         see `make doctor`)",
    )?;
    let agent = release.join(NAME);
    ensure!(
        agent.is_file(),
        "cargo built the guest agent, but {} is missing",
        agent.display()
    );
    stage.done(format!("guest agent for {}", ctx.arch));
    Ok(agent)
}

/// Lets cargo compile the workspace's own crates again. Cargo identifies them by their path in the
/// workspace, which is the same in every clone, and would use what another clone compiled if the files of
/// this one are older.
fn forget_own_crates(release: &Path) -> Result<()> {
    let fingerprints = release.join(".fingerprint");
    if !fingerprints.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(&fingerprints)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(OWN_CRATES) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Variables for cargo with the libelf and zlib of this machine.
fn own(arch: Arch, sh: &Shell, libelf: Option<&Path>) -> Result<Vec<(String, String)>> {
    let path = output(cmd!(sh, "cc -print-file-name=libelf.a"))?;
    // for a file that it does not find, the compiler prints only the name
    let (library, _) = path
        .rsplit_once('/')
        .context("the compiler finds no libelf.a; install libelf-dev and zlib1g-dev")?;
    let cargo = format!("CARGO_TARGET_{}", variable(arch).to_uppercase());
    Ok(vec![(
        format!("{cargo}_RUSTFLAGS"),
        format!(
            "-C target-feature=+crt-static {}-L native={library}",
            search_first(libelf)
        ),
    )])
}

/// Variables for cargo and libbpf's build with the compiler and the libraries of a foreign architecture.
fn foreign(arch: Arch, sysroot: &Path, libelf: Option<&Path>) -> Vec<(String, String)> {
    let target = variable(arch);
    let cargo = format!("CARGO_TARGET_{}", target.to_uppercase());
    let gcc = format!("{}gcc", arch.names().cross);
    let sysroot = sysroot.display();
    let libraries = format!("{sysroot}/usr/lib/{}-linux-gnu", arch.names().machine);
    vec![
        (format!("CC_{target}"), gcc.clone()),
        (format!("CFLAGS_{target}"), format!("--sysroot={sysroot}")),
        (format!("{cargo}_LINKER"), gcc),
        (
            format!("{cargo}_RUSTFLAGS"),
            format!(
                "-C target-feature=+crt-static -C link-arg=--sysroot={sysroot} {}\
                 -L native={libraries}",
                search_first(libelf)
            ),
        ),
    ]
}

/// The flag to search `folder` for libraries before others.
fn search_first(folder: Option<&Path>) -> String {
    folder.map_or_else(String::new, |dir| format!("-L native={} ", dir.display()))
}

/// The target triple in the form for names of variables.
fn variable(arch: Arch) -> String {
    arch.names().rust.replace('-', "_")
}

/// Ensures that Rust's standard library for guests of `ctx` is installed. With rustup it is installed if
/// it is missing.
pub(crate) fn ensure_standard_library(ctx: &Context) -> Result<()> {
    let target = ctx.arch.names().rust;
    let sh = &shell_in(&ctx.repo)?;
    let is_installed = || -> Result<bool> {
        let folder = output(cmd!(sh, "rustc --print target-libdir --target {target}"))?;
        Ok(Path::new(&folder).is_dir())
    };
    if is_installed()? {
        return Ok(());
    }
    let by_hand = format!(
        "Rust's standard library for {target} is missing; install it with `rustup target add \
         {target}`, or use Debian's rustc-web: dpkg --add-architecture {0} && apt-get update && \
         apt-get install rustc-web libstd-rust-web-dev:{0}",
        ctx.arch.names().debian
    );
    if command::find("rustup").is_none() {
        bail!(by_hand);
    }
    let _lock = lock::take(&ctx.cache_dir("agent")?.join("rustup.lock"), ctx.progress)?;
    if !is_installed()? {
        output(cmd!(sh, "rustup target add {target}")).context(by_hand)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_crates_are_compiled_again() {
        let dir = tempfile::tempdir().unwrap();
        forget_own_crates(dir.path()).unwrap();
        let fingerprints = dir.path().join(".fingerprint");
        for name in ["bpf-streams-guest-1", "libbpf-sys-2"] {
            fs::create_dir_all(fingerprints.join(name)).unwrap();
        }
        forget_own_crates(dir.path()).unwrap();
        let left = fs::read_dir(&fingerprints).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["libbpf-sys-2"]);
    }

    #[test]
    fn a_foreign_agent_uses_compiler_and_libraries_of_its_architecture() {
        let variables = foreign(
            Arch::Arm64,
            Path::new("/cache/sysroot/arm64"),
            Some(Path::new("/l")),
        );
        let value = |name: &str| {
            let found = variables.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(
            value("CC_aarch64_unknown_linux_gnu"),
            Some("aarch64-linux-gnu-gcc")
        );
        assert_eq!(
            value("CFLAGS_aarch64_unknown_linux_gnu"),
            Some("--sysroot=/cache/sysroot/arm64")
        );
        let flags = value("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS").unwrap();
        assert!(
            flags.contains("-L native=/l -L native=/cache/sysroot/arm64/usr/lib/aarch64-linux-gnu")
        );
        assert!(flags.contains("+crt-static"));
    }
}
