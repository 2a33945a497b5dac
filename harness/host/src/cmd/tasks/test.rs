// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make test`: everything that must hold.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use super::{boot_test, check_series, decode, tree_tests};
use crate::cmd::workflows;
use crate::env::command::{capture, command, last_lines, output, shell_in};
use crate::env::context::{Arch, Context};
use crate::env::progress::seconds;

/// What `make test` takes.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// One thing that must hold.
type Step = (&'static str, fn(&Context) -> Result<()>);

/// All that must hold before guests are booted; the quick ones first, so that what is wrong is seen early.
const STEPS: &[Step] = &[
    ("format", |ctx| cargo(ctx, &["fmt", "--all", "--check"])),
    ("lints", |ctx| {
        let all = [
            "--workspace",
            "--all-targets",
            "--locked",
            "--release",
            "--quiet",
        ];
        let deny = ["--", "--deny", "warnings"];
        cargo(ctx, &[&["clippy"], &all[..], &deny].concat())
    }),
    ("scripts", scripts),
    ("workflows", workflows::check),
    ("unit and failure tests", |ctx| {
        cargo(
            ctx,
            &["test", "--workspace", "--locked", "--release", "--quiet"],
        )
    }),
    ("series", |ctx| {
        let args = check_series::Args {
            quick: true,
            ..Default::default()
        };
        passed(check_series::run(ctx, &args)?)
    }),
];

/// Runs the task. Every step is taken, whatever came of the ones before; the guests come last.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let mut outcomes = Vec::new();
    for (name, step) in STEPS {
        outcomes.push(take(ctx, name.to_string(), || step(ctx)));
    }
    for arch in Arch::buildable_here() {
        let guest = Context {
            arch,
            ..ctx.clone()
        };
        let boot_test = || passed(boot_test::run(&guest, &boot_test::Args::default())?);
        outcomes.push(take(ctx, format!("boot-test on {arch}"), boot_test));
        let tree_tests = || passed(tree_tests::run(&guest, &tree_tests::Args::default())?);
        outcomes.push(take(ctx, format!("the tree's tests on {arch}"), tree_tests));
        let decode = || decode::run(&guest);
        outcomes.push(take(ctx, format!("{} on {arch}", decode::SCRIPT), decode));
    }
    let steps = outcomes.len();
    let failed: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    if failed.is_empty() {
        println!("test: all {steps} steps passed");
        return Ok(ExitCode::SUCCESS);
    }
    println!("test: FAILED: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Takes a step and says what came of it; an error is the name of the step.
fn take(ctx: &Context, name: String, step: impl FnOnce() -> Result<()>) -> Result<(), String> {
    let begun = Instant::now();
    ctx.progress.note(format!("{name}: begins"));
    let outcome = step();
    let time = seconds(begun.elapsed());
    match outcome {
        Ok(()) => {
            println!("test: {name}: passed ({time})");
            Ok(())
        }
        Err(error) => {
            println!("test: {name}: FAILED ({time})\n{error:#}");
            Err(name)
        }
    }
}

fn passed(code: ExitCode) -> Result<()> {
    ensure!(code == ExitCode::SUCCESS, "it says above what is wrong");
    Ok(())
}

/// Runs the cargo that runs us, over the workspace.
fn cargo(ctx: &Context, args: &[&str]) -> Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let sh = shell_in(ctx.repo.join("harness"))?;
    let cmd = command(&sh, &cargo).args(args);
    let line = cmd.to_string();
    let out = capture(cmd)?;
    if !out.status.success() {
        // tests tell what is wrong on standard output, cargo itself on standard error
        print!("{}", String::from_utf8_lossy(&out.stdout));
        bail!("`{line}` failed ({}){}", out.status, last_lines(&out));
    }
    Ok(())
}

/// Runs shellcheck over every script of the clone.
fn scripts(ctx: &Context) -> Result<()> {
    let sh = shell_in(&ctx.repo)?;
    let files = output(command(&sh, "git").args(["ls-files"]))?;
    let scripts: Vec<PathBuf> = files
        .lines()
        .map(|file| ctx.repo.join(file))
        .filter(|file| is_script(&fs::read(file).unwrap_or_default()))
        .collect();
    ensure!(!scripts.is_empty(), "no script was found; .ci/run is one");
    output(command(&sh, "shellcheck").args(scripts)).map(drop)
}

/// Whether a file says that a shell runs it.
fn is_script(text: &[u8]) -> bool {
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    first
        .strip_prefix("#!")
        .and_then(|line| line.rsplit(['/', ' ']).next())
        .is_some_and(|shell| ["sh", "bash", "dash"].contains(&shell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_known_by_its_first_line() {
        for text in ["#!/bin/sh\n", "#!/usr/bin/env bash\n", "#!/bin/bash"] {
            assert!(is_script(text.as_bytes()), "{text}");
        }
        for text in [
            "#!/usr/bin/env python3\n",
            "echo\n#!/bin/sh\n",
            "",
            "\u{7f}ELF",
        ] {
            assert!(!is_script(text.as_bytes()), "{text}");
        }
    }
}
