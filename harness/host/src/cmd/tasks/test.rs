// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! `make test`: every check of the repository.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};
use fs_err as fs;

use super::{boot_test, check_series, decode, page_test, tree_tests};
use crate::cmd::workflows::{self, Linted};
use crate::cmd::{cargo, exit};
use crate::env::command::{capture, cmd, last_lines, output, shell_in};
use crate::env::context::{Arch, Context};
use crate::env::progress::seconds;

/// Flags of `make test`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// The result of a step; an error is a step without a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Skipped(&'static str),
    Failed(String),
}

/// A check, with its name.
type Step = (&'static str, fn(&Context) -> Result<Outcome>);

/// The checks that boot no guest of the series, quick ones first so that mistakes show early.
const STEPS: &[Step] = &[
    ("format", |ctx| run_cargo(ctx, &["fmt", "--all", "--check"])),
    ("lints", |ctx| {
        let all = [
            "--workspace",
            "--all-targets",
            "--locked",
            "--release",
            "--quiet",
        ];
        let deny = ["--", "--deny", "warnings"];
        run_cargo(ctx, &[&["clippy"], &all[..], &deny].concat())
    }),
    ("scripts", scripts),
    ("workflows", lint_workflows),
    ("unit and failure tests", |ctx| {
        run_cargo(
            ctx,
            &["test", "--workspace", "--locked", "--release", "--quiet"],
        )
    }),
    ("page", |ctx| {
        task(page_test::run(ctx, &page_test::Args::default())?)
    }),
    ("series", |ctx| {
        let args = check_series::Args {
            quick: true,
            ..Default::default()
        };
        task(check_series::run(ctx, &args)?)
    }),
];

/// Runs the task: every step, whatever the steps before it gave; the guests come last.
pub fn run(ctx: &Context, _args: &Args) -> Result<ExitCode> {
    let mut summary = Summary::default();
    for (name, step) in STEPS {
        summary.step(ctx, name, || step(ctx));
    }
    for arch in Arch::buildable_here() {
        let guest = Context {
            arch,
            ..ctx.clone()
        };
        summary.step(ctx, &format!("boot-test on {arch}"), || {
            let args = boot_test::Args {
                junit: Some(guest.build_dir().join("junit.xml")),
                ..boot_test::Args::default()
            };
            task(boot_test::run(&guest, &args)?)
        });
        summary.step(ctx, &format!("tree-tests on {arch}"), || {
            task(tree_tests::run(&guest, &tree_tests::Args::default())?)
        });
        summary.step(ctx, &format!("{} on {arch}", decode::SCRIPT), || {
            Ok(match decode::run(&guest) {
                Ok(()) => Outcome::Passed,
                Err(error) => Outcome::Failed(format!("{error:#}")),
            })
        });
    }
    println!("test: {}", summary.line());
    Ok(summary.exit_code())
}

/// The steps that did not pass.
#[derive(Debug, Default)]
struct Summary {
    steps: usize,
    skipped: Vec<String>,
    failed: Vec<String>,
    no_verdict: Vec<String>,
}

impl Summary {
    /// Runs a step and prints its result.
    fn step(&mut self, ctx: &Context, name: &str, step: impl FnOnce() -> Result<Outcome>) {
        let begun = Instant::now();
        ctx.progress.note(format!("{name}: begins"));
        let outcome = step();
        let time = seconds(begun.elapsed());
        self.steps += 1;
        match outcome {
            Ok(Outcome::Passed) => println!("test: {name}: passed ({time})"),
            Ok(Outcome::Skipped(why)) => {
                println!("test: {name}: skipped: {why}");
                self.skipped.push(name.to_owned());
            }
            Ok(Outcome::Failed(why)) => {
                println!("test: {name}: FAILED ({time})\n{why}");
                self.failed.push(name.to_owned());
            }
            Err(error) => {
                println!("test: {name}: no verdict ({time})\n{error:#}");
                self.no_verdict.push(name.to_owned());
            }
        }
    }

    /// The last line of the task.
    fn line(&self) -> String {
        let lists = [
            ("FAILED", &self.failed),
            ("no verdict", &self.no_verdict),
            ("skipped", &self.skipped),
        ];
        let lists: Vec<String> = lists
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", names.join(", ")))
            .collect();
        let bad = self.failed.len() + self.no_verdict.len();
        let passed = self.steps - bad - self.skipped.len();
        match &lists[..] {
            [] => format!("all {passed} steps passed"),
            _ if bad == 0 => format!("{passed} steps passed; {}", lists.join("; ")),
            _ => lists.join("; "),
        }
    }

    /// A failure counts more than a missing verdict.
    fn exit_code(&self) -> ExitCode {
        if self.failed.is_empty() && !self.no_verdict.is_empty() {
            return exit::no_verdict();
        }
        exit::verdict(self.failed.is_empty())
    }
}

/// The outcome of a task that prints what failed itself.
fn task(code: ExitCode) -> Result<Outcome> {
    Ok(match code == ExitCode::SUCCESS {
        true => Outcome::Passed,
        false => Outcome::Failed("see the output above".to_owned()),
    })
}

fn run_cargo(ctx: &Context, args: &[&str]) -> Result<Outcome> {
    let failed = cargo::run(ctx, args)?;
    Ok(failed.map_or(Outcome::Passed, Outcome::Failed))
}

fn lint_workflows(ctx: &Context) -> Result<Outcome> {
    Ok(match workflows::check(ctx)? {
        Linted::Clean => Outcome::Passed,
        Linted::Findings(found) => Outcome::Failed(found),
        Linted::NotInstalled => Outcome::Skipped(
            "actionlint is not installed (https://github.com/rhysd/actionlint); the pull-request \
             workflow runs it",
        ),
    })
}

/// Runs shellcheck over every script of the clone.
fn scripts(ctx: &Context) -> Result<Outcome> {
    let sh = shell_in(&ctx.repo)?;
    let files = output(cmd!(sh, "git ls-files"))?;
    let scripts: Vec<PathBuf> = files
        .lines()
        .map(|file| ctx.repo.join(file))
        .filter(|file| is_script(&fs::read(file).unwrap_or_default()))
        .collect();
    ensure!(!scripts.is_empty(), "found no script; expected .ci/run");
    let out = capture(cmd!(sh, "shellcheck {scripts...}"))?;
    Ok(match out.status.success() {
        true => Outcome::Passed,
        false => Outcome::Failed(format!("shellcheck reports:{}", last_lines(&out))),
    })
}

/// Whether the first line of a file names a shell.
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
    use std::path::Path;

    use anyhow::bail;

    use super::*;

    fn context() -> Context {
        Context::of_test(Path::new(""))
    }

    /// The line and the exit code of these steps.
    fn summary(steps: &[fn() -> Result<Outcome>]) -> (String, ExitCode) {
        let mut summary = Summary::default();
        for (number, step) in steps.iter().enumerate() {
            summary.step(&context(), &number.to_string(), step);
        }
        (summary.line(), summary.exit_code())
    }

    #[test]
    fn the_exit_code_tells_a_failure_from_a_missing_verdict() {
        let passed = || Ok(Outcome::Passed);
        let skipped = || Ok(Outcome::Skipped("not installed"));
        let failed = || Ok(Outcome::Failed(String::new()));
        let broken = || bail!("no compiler");
        let (line, code) = summary(&[passed, passed]);
        assert_eq!(
            (line.as_str(), code),
            ("all 2 steps passed", exit::verdict(true))
        );
        let (line, code) = summary(&[passed, skipped]);
        assert_eq!(
            (line.as_str(), code),
            ("1 steps passed; skipped: 1", exit::verdict(true))
        );
        let (line, code) = summary(&[passed, broken]);
        assert_eq!((line.as_str(), code), ("no verdict: 1", exit::no_verdict()));
        let (line, code) = summary(&[failed, broken, skipped]);
        assert_eq!(line, "FAILED: 0; no verdict: 1; skipped: 2");
        assert_eq!(code, exit::verdict(false));
    }

    #[test]
    fn a_script_is_recognised_by_its_first_line() {
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
