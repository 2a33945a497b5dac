// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Builds the guest agent: one static binary, so that the guest needs no libraries.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::command::{command, output, shell_in};
use crate::context::{Arch, Context};

/// Builds the agent for the architecture of `ctx`, or finds it built.
///
/// Its build folder lies in the cache: libbpf is compiled once for all clones.
pub fn build(ctx: &Context) -> Result<PathBuf> {
    let stage = ctx.progress.stage("agent", "building the guest agent");
    let target = ctx.arch.names().rust;
    let folder = ctx.cache_dir("agent")?;
    let sh = shell_in(&ctx.repo)?;
    let library = library_folder(ctx)?;
    let cargo = command(&sh, "cargo")
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            "bpf-streams-guest",
        ])
        .args(["--target", target, "--manifest-path", "harness/Cargo.toml"])
        .env("CARGO_TARGET_DIR", &folder)
        // not those of the build that made this harness
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env(
            format!("CARGO_TARGET_{}_RUSTFLAGS", variable(target)),
            // libelf and zlib are found by the linker, their folder is for foreign architectures
            format!("-C target-feature=+crt-static -L native={library}"),
        )
        // what the guest does not read over 9p costs no time
        .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    output(foreign_compiler(ctx, cargo)).context(
        "cannot build the guest agent (it needs gcc, make, pkg-config, libelf-dev, zlib1g-dev)",
    )?;
    let agent = folder.join(target).join("release/bpf-streams-guest");
    ensure!(
        agent.is_file(),
        "cargo built the guest agent, but {} is missing",
        agent.display()
    );
    stage.done(format!("guest agent for {}", ctx.arch));
    Ok(agent)
}

/// The folder of the architecture's static libelf and zlib, as its compiler finds them.
fn library_folder(ctx: &Context) -> Result<String> {
    let sh = shell_in(&ctx.repo)?;
    let compiler = compiler(ctx.arch)?;
    let path = output(command(&sh, &compiler).arg("-print-file-name=libelf.a"))?;
    match path.rsplit_once('/') {
        Some((folder, _)) => Ok(folder.to_owned()),
        // the compiler repeats the name of a file that it does not find
        None => anyhow::bail!(
            "{compiler} finds no libelf.a for {}; install libelf-dev and zlib1g-dev of that \
             architecture",
            ctx.arch
        ),
    }
}

/// The C compiler for guests of that architecture.
fn compiler(arch: Arch) -> Result<String> {
    if arch == Arch::of_this_machine()? {
        Ok("cc".to_owned())
    } else {
        Ok(format!("{}gcc", arch.names().cross))
    }
}

/// Tells cargo and libbpf's build the compiler of a foreign architecture.
fn foreign_compiler<'a>(ctx: &Context, cargo: xshell::Cmd<'a>) -> xshell::Cmd<'a> {
    let target = ctx.arch.names().rust;
    match compiler(ctx.arch) {
        Ok(gcc) if gcc != "cc" => cargo
            .env(format!("CC_{}", target.replace('-', "_")), &gcc)
            .env(format!("CARGO_TARGET_{}_LINKER", variable(target)), &gcc),
        _ => cargo,
    }
}

/// A target triple as cargo writes it in names of variables.
fn variable(target: &str) -> String {
    target.replace('-', "_").to_uppercase()
}
